<?php
// Sends what one line of JSON on stdin says, by curl, Guzzle, SoapClient or a stream, and prints one line of JSON:
// for each request the status, the body and the class of the exception, if any.
$given = json_decode(file_get_contents('php://stdin'), true) + ['user' => null, 'word' => null, 'token' => null, 'way' => ''];

function by_curl(array $given): callable
{
    $handle = curl_init($given['url']);
    curl_setopt_array($handle, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 30, CURLOPT_PROXY => '']);
    if ($given['user']) {
        $ways = ['basic' => CURLAUTH_BASIC, 'digest' => CURLAUTH_DIGEST, 'any' => CURLAUTH_ANY, 'anysafe' => CURLAUTH_ANYSAFE];
        curl_setopt_array($handle, [
            CURLOPT_HTTPAUTH => $ways[$given['way']], CURLOPT_USERNAME => $given['user'], CURLOPT_PASSWORD => $given['word'],
        ]);
    }
    if ($given['token']) {
        curl_setopt_array($handle, [CURLOPT_HTTPAUTH => CURLAUTH_BEARER, CURLOPT_XOAUTH2_BEARER => $given['token']]);
    }
    return function (int $size) use ($handle): array {
        if ($size) {
            curl_setopt($handle, CURLOPT_POSTFIELDS, str_repeat('x', $size));
        } else {
            curl_setopt($handle, CURLOPT_HTTPGET, true);
        }
        $body = curl_exec($handle);
        if ($body === false) {
            throw new RuntimeException(curl_error($handle), curl_errno($handle));
        }
        return [curl_getinfo($handle, CURLINFO_RESPONSE_CODE), $body, null];
    };
}

function by_guzzle(array $given): callable
{
    require_once 'GuzzleHttp/autoload.php';
    $options = ['timeout' => 30, 'proxy' => ''];
    if ($given['user']) {
        $options['auth'] = [$given['user'], $given['word'], $given['way']];
    }
    if ($given['token']) {
        $options['headers'] = ['Authorization' => "Bearer {$given['token']}"];
    }
    $client = new GuzzleHttp\Client($options);
    return function (int $size) use ($client, $given): array {
        $answer = $size ? $client->post($given['url'], ['body' => str_repeat('x', $size)]) : $client->get($given['url']);
        return [$answer->getStatusCode(), (string) $answer->getBody(), null];
    };
}

function by_soap(array $given): callable
{
    $options = ['location' => $given['url'], 'uri' => 'urn:tools', 'exceptions' => true, 'connection_timeout' => 10];
    if ($given['user']) {
        $digest = $given['way'] === 'digest';
        $options += ['login' => $given['user'], 'password' => $given['word']];
        $options += ['authentication' => $digest ? SOAP_AUTHENTICATION_DIGEST : SOAP_AUTHENTICATION_BASIC];
    }
    if ($given['token']) {
        $options['stream_context'] = stream_context_create(['http' => ['header' => "Authorization: Bearer {$given['token']}"]]);
    }
    $client = new SoapClient(null, $options);
    return fn (int $size): array => [200, $client->__soapCall('whoami', $size ? [str_repeat('x', $size)] : []), null];
}

function by_stream(array $given): callable
{
    $authorization = $given['token'] ? "Bearer {$given['token']}" : '';
    if ($given['user']) {
        $authorization = 'Basic ' . base64_encode("{$given['user']}:{$given['word']}");
    }
    return function (int $size) use ($given, $authorization): array {
        $options = ['ignore_errors' => false, 'timeout' => 30, 'header' => $authorization ? "Authorization: $authorization" : ''];
        if ($size) {
            $options += ['method' => 'POST', 'content' => str_repeat('x', $size)];
            $options['header'] .= "\r\nContent-Type: text/plain";
        }
        $body = file_get_contents($given['url'], false, stream_context_create(['http' => $options]));
        return [(int) explode(' ', $http_response_header[0])[1], $body, null];
    };
}

// A warning, which is how a stream says 401, becomes an exception like the others.
set_error_handler(fn (int $level, string $message) => throw new ErrorException($message, 0, $level));
$send = "by_{$given['library']}"($given);
$answers = [];
foreach ($given['sizes'] as $size) {
    try {
        $answers[] = $send($size);
    } catch (Throwable $error) {
        $answers[] = [$error->getCode() ?: null, $error->getMessage(), get_class($error)];
    }
}
echo json_encode($answers), "\n";
