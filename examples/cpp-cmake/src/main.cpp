// xmlcount: counts the elements of an XML document.

#include <exception>
#include <fstream>
#include <iostream>

#include "census.hpp"

int main(int argc, char **argv)
{
    if (argc > 2) {
        std::cerr << "usage: xmlcount [FILE]\n";
        return 2;
    }
    try {
        std::ifstream file;
        if (argc == 2) {
            file.open(argv[1]);
            if (!file) {
                std::cerr << "xmlcount: cannot read " << argv[1] << '\n';
                return 1;
            }
        }
        const Census census = count(argc == 2 ? file : std::cin);
        for (const auto &[name, times] : census.elements) {
            std::cout << times << ' ' << name << '\n';
        }
        std::cout << "depth " << census.depth << '\n';
    } catch (const std::exception &error) {
        std::cerr << "xmlcount: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
