// test/tls.hpp: a certificate made at run time, and contexts that present it or trust it.
//
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE.)

#ifndef ASIO_URING_TEST_TLS_HPP
#define ASIO_URING_TEST_TLS_HPP

#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace test::tls {

namespace ssl = boost::asio::ssl;

/// A key and a certificate for "localhost" signed with it, in PEM.
struct identity
{
  std::string key, certificate;

  identity()
  {
    const std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> pkey(EVP_EC_gen("P-256"), &::EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&::X509_free)> x509(::X509_new(), &::X509_free);
    if (!pkey || !x509) throw std::runtime_error("no key");
    ::X509_set_version(x509.get(), X509_VERSION_3);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(x509.get()), 1);
    ::X509_gmtime_adj(X509_getm_notBefore(x509.get()), -3600);
    ::X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
    ::X509_set_pubkey(x509.get(), pkey.get());
    auto* name = ::X509_get_subject_name(x509.get());
    ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    ::X509_set_issuer_name(x509.get(), name);
    add_extension(x509.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(x509.get(), NID_subject_alt_name, "DNS:localhost");
    if (!::X509_sign(x509.get(), pkey.get(), EVP_sha256())) throw std::runtime_error("not signed");

    certificate = pem([&](BIO* out) { return ::PEM_write_bio_X509(out, x509.get()); });
    key = pem([&](BIO* out) {
      return ::PEM_write_bio_PrivateKey(out, pkey.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

private:
  static void add_extension(X509* x509, int nid, const char* value)
  {
    X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    if (!extension) throw std::runtime_error(value);
    ::X509_add_ext(x509, extension, -1);
    ::X509_EXTENSION_free(extension);
  }

  template <class Write>
  static std::string pem(Write write)
  {
    const std::unique_ptr<BIO, decltype(&::BIO_free)> out(::BIO_new(::BIO_s_mem()), &::BIO_free);
    if (!out || !write(out.get())) throw std::runtime_error("no PEM");
    char* data = nullptr;
    const auto size = BIO_get_mem_data(out.get(), &data);
    return std::string(data, static_cast<std::size_t>(size));
  }
};

/// A context that presents the identity.
inline ssl::context presenting(const identity& own, ssl::context::method method = ssl::context::tls)
{
  ssl::context context(method);
  context.use_certificate(boost::asio::buffer(own.certificate), ssl::context::pem);
  context.use_private_key(boost::asio::buffer(own.key), ssl::context::pem);
  return context;
}

/// Refuses a peer that is not the identity.
inline void trust_only(ssl::context& context, const identity& peer)
{
  context.add_certificate_authority(boost::asio::buffer(peer.certificate));
  context.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert);
}

} // namespace test::tls

#endif
