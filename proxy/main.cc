// The weir binary.
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts("weir 0.1.0");
    return 0;
  }
  std::fputs("usage: weir --version\n", stderr);
  return 2;
}
