#include "census.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <type_traits>

#include <expat.h>

namespace {

struct Walk {
    Census census;
    std::size_t depth = 0;
};

void start(void *data, const XML_Char *name, const XML_Char **)
{
    auto &walk = *static_cast<Walk *>(data);
    ++walk.census.elements[name];
    walk.census.depth = std::max(walk.census.depth, ++walk.depth);
}

void end(void *data, const XML_Char *)
{
    --static_cast<Walk *>(data)->depth;
}

struct Free {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

} // namespace

Census count(std::istream &document)
{
    const std::unique_ptr<std::remove_pointer_t<XML_Parser>, Free> parser(XML_ParserCreate(nullptr));
    Walk walk;
    XML_SetUserData(parser.get(), &walk);
    XML_SetElementHandler(parser.get(), start, end);

    std::array<char, 1 << 16> buffer;
    bool last = false;
    while (!last) {
        document.read(buffer.data(), buffer.size());
        last = document.eof();
        const auto size = static_cast<int>(document.gcount());
        if (XML_Parse(parser.get(), buffer.data(), size, last) != XML_STATUS_OK) {
            throw std::runtime_error("line " + std::to_string(XML_GetCurrentLineNumber(parser.get())) +
                                     ": " + XML_ErrorString(XML_GetErrorCode(parser.get())));
        }
    }
    return walk.census;
}
