// Branin's function (L. C. W. Dixon and G. P. Szego, "Towards global optimisation 2", 1978); its minimum is 0.397887.

#include "trawl.h"

#include <math.h>

int main(void)
{
    const double pi = 3.14159265358979323846;
    struct trawl_run *run = trawl_init();
    double x1 = trawl_config_double(run, "x1", 0), x2 = trawl_config_double(run, "x2", 0);
    double a = x2 - 5.1 / (4 * pi * pi) * x1 * x1 + 5 / pi * x1 - 6;
    trawl_log(run, TRAWL_NO_STEP, "value", a * a + 10 * (1 - 1 / (8 * pi)) * cos(x1) + 10);
    trawl_finish(run);
    return 0;
}
