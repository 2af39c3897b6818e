/* kafka_security.c - see kafka_security.h. librdkafka reads PEM files and PKCS#12 key stores. */
#include "spec/kafka_security.h"

#include "base/mem.h"
#include "spec/client_properties.h"
#include "spec/jaas.h"

#include <strings.h>

/* Adds `value` of a property under another name, if the property is there. */
static void pass(struct reader *reader, const struct client_property *property, const char *twin,
                 struct property_list *result)
{
    if (property)
        property_add(reader, result, twin, property->value, &property->place);
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_size = strlen(text), end_size = strlen(end);
    return text_size >= end_size && !strcasecmp(text + text_size - end_size, end);
}

enum store { STORE_PEM, STORE_PKCS12, STORE_OTHER };

static enum store store_type(const struct client_property *type,
                             const struct client_property *location)
{
    if (type && !strcasecmp(type->value, "PEM"))
        return STORE_PEM;
    /* Java's JKS, its default, reads PKCS#12 files too, and people rely on that. */
    bool is_jks = !type || !strcasecmp(type->value, "JKS");
    if ((type && !strcasecmp(type->value, "PKCS12")) ||
        (is_jks && (ends_with(location->value, ".p12") || ends_with(location->value, ".pfx"))))
        return STORE_PKCS12;
    return STORE_OTHER;
}

static bool map_truststore(struct reader *reader, const struct property_list *written,
                           struct property_list *result)
{
    const struct client_property *location = property_find(written, "ssl.truststore.location");
    pass(reader, property_find(written, "ssl.truststore.certificates"), "ssl.ca.pem", result);
    if (location &&
        store_type(property_find(written, "ssl.truststore.type"), location) != STORE_PEM)
        return reader_error(reader, &location->place,
                            "'%s': expected a file of PEM certificates and 'ssl.truststore.type: "
                            "PEM', found a trust store that only Java can read (keytool "
                            "-exportcert -rfc writes PEM)",
                            location->name);
    pass(reader, location, "ssl.ca.location", result);
    return true;
}

static bool map_keystore(struct reader *reader, const struct property_list *written,
                         struct property_list *result)
{
    const struct client_property *location = property_find(written, "ssl.keystore.location");
    const struct client_property *key_password = property_find(written, "ssl.key.password");
    pass(reader, property_find(written, "ssl.keystore.key"), "ssl.key.pem", result);
    pass(reader, property_find(written, "ssl.keystore.certificate.chain"), "ssl.certificate.pem",
         result);

    enum store store = STORE_PEM;
    if (location)
        store = store_type(property_find(written, "ssl.keystore.type"), location);
    switch (store) {
    case STORE_PEM: /* one file with the key and the chain */
        pass(reader, location, "ssl.key.location", result);
        pass(reader, location, "ssl.certificate.location", result);
        pass(reader, key_password, "ssl.key.password", result);
        return true;
    case STORE_PKCS12:
        pass(reader, location, "ssl.keystore.location", result);
        pass(reader, property_find(written, "ssl.keystore.password"), "ssl.keystore.password",
             result);
        return true;
    case STORE_OTHER:
        break;
    }
    return reader_error(reader, &location->place,
                        "'%s': expected 'ssl.keystore.type' PKCS12 or PEM, found a key store that "
                        "only Java can read (keytool -importkeystore -deststoretype PKCS12 "
                        "converts)",
                        location->name);
}

static void map_host_check(struct reader *reader, const struct property_list *written,
                           struct property_list *result)
{
    const struct client_property *check =
        property_find(written, "ssl.endpoint.identification.algorithm");
    if (check) /* Java turns it off by an empty text */
        property_add(reader, result, check->name, *check->value ? check->value : "none",
                     &check->place);
}

enum { LOGIN_OPTIONS_MAX = 3 };

static const struct login {
    const char *module; /* the last part of its class name */
    struct {
        const char *option, *twin;
    } options[LOGIN_OPTIONS_MAX];
    const char *method; /* of sasl.oauthbearer.method; may be NULL */
} logins[] = {
    {"PlainLoginModule", {{"username", "sasl.username"}, {"password", "sasl.password"}}, NULL},
    {"ScramLoginModule", {{"username", "sasl.username"}, {"password", "sasl.password"}}, NULL},
    {"Krb5LoginModule",
     {{"keyTab", "sasl.kerberos.keytab"}, {"principal", "sasl.kerberos.principal"}},
     NULL},
    {"OAuthBearerLoginModule",
     {{"clientId", "sasl.oauthbearer.client.id"},
      {"clientSecret", "sasl.oauthbearer.client.secret"},
      {"scope", "sasl.oauthbearer.scope"}},
     "oidc"},
};

static const struct login *login_find(const char *class_name)
{
    const char *point = strrchr(class_name, '.');
    const char *module = point ? point + 1 : class_name;
    for (size_t i = 0; i < COUNT_OF(logins); i++)
        if (!strcmp(logins[i].module, module))
            return &logins[i];
    return NULL;
}

static bool map_login(struct reader *reader, const struct property_list *written,
                      struct property_list *result)
{
    const struct client_property *property = property_find(written, "sasl.jaas.config");
    struct jaas jaas;
    if (!property)
        return true;
    if (!jaas_parse(property->value, &jaas))
        return reader_error(
            reader, &property->place,
            "'%s': expected the form of JAAS: <class> required <option>=\"<value>\" "
            "...;",
            property->name);

    const struct login *login = login_find(jaas.module);
    for (size_t i = 0; login && i < LOGIN_OPTIONS_MAX; i++) {
        const char *value =
            login->options[i].option ? jaas_option(&jaas, login->options[i].option) : NULL;
        if (value)
            property_add(reader, result, login->options[i].twin, value, &property->place);
    }
    if (login && login->method)
        property_add(reader, result, "sasl.oauthbearer.method", login->method, &property->place);
    jaas_destroy(&jaas);
    return login || reader_error(reader, &property->place,
                                 "'%s': expected one of the login modules PlainLoginModule, "
                                 "ScramLoginModule, OAuthBearerLoginModule and Krb5LoginModule, "
                                 "found one that only Java has",
                                 property->name);
}

bool kafka_security_map(struct reader *reader, const struct property_list *written,
                        struct property_list *result)
{
    bool good = map_truststore(reader, written, result);
    good &= map_keystore(reader, written, result);
    good &= map_login(reader, written, result);
    map_host_check(reader, written, result);
    return good;
}
