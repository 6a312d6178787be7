#define DEEP_VERSION VERSION

int deep_version(void);
double deep_root(double n);
int deep_back(int n);
int deep_static(void);
