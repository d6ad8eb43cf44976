// Listening sockets that systemd opened and passed to this process: sd_listen_fds(3). They outlive
// it, so connections that come between two processes wait for the second.
#pragma once

#include "net/address.h"
#include "net/socket.h"

#include <string>
#include <vector>

namespace weir::net {

/// The one for this address, if it was passed and not taken yet; else none that is open.
Socket take_inherited(const Address& wanted);

/// Closes those that nobody took, in whose queue connections would wait for ever: their addresses.
std::vector<std::string> close_inherited();

}  // namespace weir::net
