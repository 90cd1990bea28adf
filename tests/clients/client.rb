# Sends what one line of JSON on stdin says, by Mechanize or HTTParty, and prints one line of JSON:
# for each request the status, the body and the class of the exception, if any.
require 'json'

given = JSON.parse($stdin.read)
user, word, token = given.values_at('user', 'word', 'token')

case given['library']
when 'mechanize'
  require 'mechanize'
  agent = Mechanize.new
  agent.add_auth(given['url'], user, word) if user
  agent.request_headers = { 'Authorization' => "Bearer #{token}" } if token
  send_one = lambda do |size|
    page = size.zero? ? agent.get(given['url']) : agent.post(given['url'], 'x' * size, 'Content-Type' => 'text/plain')
    [page.code.to_i, page.body, nil]
  end
when 'httparty'
  require 'httparty'
  options = { timeout: 30 }
  options[given['way'] == 'digest' ? :digest_auth : :basic_auth] = { username: user, password: word } if user
  options[:headers] = { 'Authorization' => "Bearer #{token}" } if token
  send_one = lambda do |size|
    answer = size.zero? ? HTTParty.get(given['url'], options) : HTTParty.post(given['url'], options.merge(body: 'x' * size))
    [answer.code, answer.body, nil]
  end
else
  require given['library'] # an unknown name is a LoadError
end

answers = given['sizes'].map do |size|
  send_one.call(size)
rescue StandardError => e
  [e.respond_to?(:response_code) ? e.response_code.to_i : nil, e.message, e.class.name]
end
puts JSON.generate(answers)
