Feature: rules that the quickstart breaks

  Scenario: every peer has an end
    Given I have peer defined
    Then it must have expires_at

  Scenario: every interface has another port
    Given I have interface defined
    Then it must have listen_port
    And its value must be 51821
