#pragma once

#include <cstddef>
#include <istream>
#include <map>
#include <string>

/// How often each element occurs in a document, and how deep they nest.
struct Census {
    std::map<std::string, std::size_t> elements;
    std::size_t depth = 0;
};

/// Reads a document to its end; throws std::runtime_error with the line of the first mistake in it.
Census count(std::istream &document);
