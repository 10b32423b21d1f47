Feature: rules that hold in the quickstart

  Scenario: every interface has its port
    Given I have interface defined
    Then it must have listen_port
    And its value must be 51820

  Scenario: no peer reaches everything
    Given I have peer defined
    Then it must have allowed_ips
    And its value must not match the "0\.0\.0\.0/0" regex

  Scenario: both ends of the tunnel have a secret
    Given I have peer defined
    Then it must have preshared_key
    And its value must match the "^fp1:[0-9a-f]{32}$" regex
