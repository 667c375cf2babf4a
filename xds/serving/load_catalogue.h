#pragma once

#include <memory>
#include <string>

#include "config/diagnostic.h"
#include "xds/serving/catalogue.h"
#include "xds/serving/catalogue_file.h"

namespace weir::xds {

// Reads the files of a directory whose names end in .yaml, .yml or .json and do not begin with a
// dot, in the order of their names. Directories within it are not read, which is a warning.
//
// Checked are: the syntax, the types, the API's own rules, that no name is given twice, and (as
// warnings) that Weir supports it all and that what resources lead to is there. Null after errors;
// all of them are then in `diagnostics`, with their positions.
std::shared_ptr<const Catalogue> load_catalogue(const std::string& directory, ResourceCheck& check,
                                                config::Diagnostics& diagnostics);

}  // namespace weir::xds
