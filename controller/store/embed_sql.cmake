# cmake -DIN=a.sql -DOUT=a.inc -P embed_sql.cmake: the bytes of a file as a C initialiser, without its terminator.
file(READ "${IN}" bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "${bytes}\n")
