#!/bin/sh
# Minimises (x - 3)^2 + (y + 1)^2. Gets its parameters as x=1 y=2 and reports with `trawl log`.
for argument in "$@"; do
    case $argument in
    x=*) x=${argument#x=} ;;
    y=*) y=${argument#y=} ;;
    esac
done
echo "x is $x, y is $y"
trawl log loss=$(((x - 3) * (x - 3) + (y + 1) * (y + 1)))
