static int version = VERSION;

int *deep_static_version(void) { return &version; }
int deep_static(void) { return *deep_static_version(); }
