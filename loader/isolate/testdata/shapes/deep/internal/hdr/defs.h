#define ANSWER VERSION
#define FRAME 0
