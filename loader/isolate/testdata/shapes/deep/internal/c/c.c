#include <deep.h>
#include <math.h>

#include "_cgo_export.h"

int deep_version(void) { return DEEP_VERSION; }
double deep_root(double n) { return sqrt(n * n); }
int deep_back(int n) { return deepTimes(n); }
