// What windows.h and its like do to names, so that generated code is tried behind them without Windows.
#pragma once

#define far
#define near
#define small char
#define interface struct
#define hyper long
#define pascal
#define cdecl
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define VOID void
#define THIS
#define PURE = 0
#define TRUE 1
#define FALSE 0
#define ERROR 0
#define DELETE (0x00010000L)
#define NEAR
#define FAR
#define STRICT 1
#define OPAQUE 2
#define TRANSPARENT 1
#define ABSOLUTE 1
#define RELATIVE 2
#define INFINITE 0xFFFFFFFF
#define PI (3.1415926535897932f)
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define check(expr) ((void)(expr))
#define verify(expr) ((void)(expr))
#define TEXT(x) L##x
