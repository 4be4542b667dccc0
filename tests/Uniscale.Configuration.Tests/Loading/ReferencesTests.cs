using Uniscale.Configuration.Loading;

namespace Uniscale.Configuration.Tests.Loading;

/// <summary>References to the environment: where they may stand, and what is written of them.</summary>
public sealed class ReferencesTests
{
    [Theory]
    [InlineData("{ optimizer: { lr: ${UNISCALE_TEST_NONE:-0.25} }, train: { steps: 1 } }")]
    [InlineData("{ optimizer: {lr: ${UNISCALE_TEST_NONE:-0.25}}, train: {steps: 1}}")]
    [InlineData("{ optimizer: { lr: \"${UNISCALE_TEST_NONE:-0.25}\" }, train: { steps: 1 } }")]
    [InlineData("{ optimizer: { lr: '${UNISCALE_TEST_NONE:-0.25}' }, train: { steps: ${UNISCALE_TEST_NONE:-1} } }")]
    [InlineData("optimizer:\n  lr: ${UNISCALE_TEST_NONE:-0.25}   # ${LR}\ntrain: { steps: 1 }")]
    public void A_reference_may_stand_wherever_a_value_may(string yaml) =>
        Assert.Equal(0.25, ConfigurationLoader.Parse(yaml).Value.Optimizer.Lr);

    [Fact]
    public void Whatever_a_flow_map_is_made_of_may_stand_in_a_default()
    {
        string name = ConfigurationLoader.Parse("{ name: a${UNISCALE_TEST_NONE:-b, [c]: #d &e *f}, train: { steps: 1 } }").Value.Name;
        Assert.Equal("ab, [c]: #d &e *f", name);
        Assert.Equal("${x}", ConfigurationLoader.Parse("{ name: $${x}, train: { steps: 1 } }").Value.Name);
    }

    [Fact]
    public void A_value_is_stored_with_its_reference_beside_it()
    {
        string stored = ConfigurationLoader.Parse("optimizer: { lr: ${UNISCALE_TEST_NONE:-0.25} }\ntrain: { steps: 1 }").ToYaml();
        Assert.Contains(
            "  lr: 0.25                                      # ${UNISCALE_TEST_NONE:-0.25}\n",
            stored,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("name: run-${UNISCALE_TEST_API_KEY}", "run-${UNISCALE_TEST_API_KEY}")]
    [InlineData("{ checkpoint: { tiers: [a, 's3://b/c?sign=${UNISCALE_TEST_API_KEY}'] } }", "s3://b/c?sign=${UNISCALE_TEST_API_KEY}")]
    [InlineData("name: !secret ${UNISCALE_TEST_PLAIN}", "${UNISCALE_TEST_PLAIN}")]
    [InlineData("name: ${UNISCALE_TEST_PASSWORD:-hunter2-is-no-password}", "${UNISCALE_TEST_PASSWORD}")]
    public void Of_a_secret_the_reference_is_written(string yaml, string reference)
    {
        Environment.SetEnvironmentVariable("UNISCALE_TEST_API_KEY", "hunter2-is-no-password");
        Environment.SetEnvironmentVariable("UNISCALE_TEST_PLAIN", "hunter2-is-no-password");
        var resolved = ConfigurationLoader.Parse(yaml, ["train.steps=1"]);
        Assert.Contains(
            "hunter2-is-no-password",
            $"{resolved.Value.Name} {string.Join(' ', resolved.Value.Checkpoint.Tiers)}",
            StringComparison.Ordinal
        );
        foreach (string written in (string[])[resolved.ToYaml(), resolved.ToYaml(origins: true), resolved.ToJson()])
        {
            Assert.DoesNotContain("hunter2", written, StringComparison.Ordinal);
            Assert.Contains(reference, written, StringComparison.Ordinal);
        }
        Assert.Equal("step 3 of ***", Secrets.Mask("step 3 of hunter2-is-no-password"));
    }

    [Fact]
    public void A_stored_secret_comes_back_where_it_is_set_and_is_absent_elsewhere()
    {
        Environment.SetEnvironmentVariable("UNISCALE_TEST_RUN_TOKEN", "correct-horse");
        string stored = ConfigurationLoader.Parse("name: a-${UNISCALE_TEST_RUN_TOKEN}", ["train.steps=1"]).ToYaml();
        Assert.Equal("a-correct-horse", ConfigurationLoader.ParseStored(stored, null, "stored").Value.Name);
        Environment.SetEnvironmentVariable("UNISCALE_TEST_RUN_TOKEN", null);
        var again = ConfigurationLoader.ParseStored(stored, null, "stored");
        Assert.Equal("a-***", again.Value.Name);
        Assert.Equal(stored, again.ToYaml());
        Assert.Contains(
            "UNISCALE_TEST_RUN_TOKEN is not set",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse(stored)).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>Weights can be exported where the secret is not; a number, a choice or a switch has no stars.</summary>
    [Fact]
    public void A_stored_secret_that_is_no_text_is_the_default_where_it_is_not_set()
    {
        const string Yaml =
            "{ optimizer: { lr: !secret '${UNISCALE_TEST_RATE}' }, train: { precision: !secret '${UNISCALE_TEST_PRECISION}', steps: 1 } }";
        Environment.SetEnvironmentVariable("UNISCALE_TEST_RATE", "0.00125");
        Environment.SetEnvironmentVariable("UNISCALE_TEST_PRECISION", "bf16");
        string stored = ConfigurationLoader.Parse(Yaml).ToYaml();
        Assert.Equal(0.00125, ConfigurationLoader.ParseStored(stored, null, "stored").Value.Optimizer.Lr);
        Environment.SetEnvironmentVariable("UNISCALE_TEST_RATE", null);
        Environment.SetEnvironmentVariable("UNISCALE_TEST_PRECISION", null);
        var again = ConfigurationLoader.ParseStored(stored, null, "stored");
        Assert.Equal(new RunConfiguration().Optimizer.Lr, again.Value.Optimizer.Lr);
        Assert.Equal(stored, again.ToYaml());
        Assert.Contains(
            "UNISCALE_TEST_RATE is not set",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse(stored)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Messages_show_no_secret()
    {
        Environment.SetEnvironmentVariable("UNISCALE_TEST_SECRET_LR", "battery-staple");
        Assert.Equal(
            "config.yaml:1:18: optimizer.lr expects a number, not '${UNISCALE_TEST_SECRET_LR}'.",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse("optimizer: { lr: ${UNISCALE_TEST_SECRET_LR} }")).Message
        );
        Assert.Equal(
            "config.yaml:1:7: !secret marks a value that comes from the environment; write !secret ${NAME}, not the value itself.",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse("name: !secret battery-staple")).Message
        );
    }

    [Theory]
    [InlineData("API_KEY", true)]
    [InlineData("KEY", true)]
    [InlineData("apikey", true)]
    [InlineData("HF_TOKEN", true)]
    [InlineData("GITHUB_TOKEN_2", true)]
    [InlineData("DB_PASSWORD", true)]
    [InlineData("AWS_SECRET_ACCESS_KEY", true)]
    [InlineData("CREDENTIALS", true)]
    [InlineData("SSH_KEYS", true)]
    [InlineData("DB_PASS", true)]
    [InlineData("TOKENS", false)]
    [InlineData("TRAIN_TOKENS", false)]
    [InlineData("TOKENIZER", false)]
    [InlineData("KEYBOARD", false)]
    [InlineData("MONKEY", false)]
    [InlineData("PASSES", false)]
    [InlineData("LR", false)]
    public void A_variable_is_secret_by_its_name(string variable, bool expected) => Assert.Equal(expected, Reference.NamesSecret(variable));

    [Fact]
    public void A_path_that_begins_at_home_is_expanded()
    {
        string? home = Environment.GetEnvironmentVariable("HOME");
        var value = ConfigurationLoader
            .Parse(
                "{ run_directory: ~/runs/a, name: ~/x, data: { tokenizer: ~/t.model, sources: [{ name: a, shards: [~/s, ./~t] }] }, checkpoint: { tiers: [~/c] }, train: { steps: 1 } }"
            )
            .Value;
        Assert.Equal(
            [$"{home}/runs/a", "~/x", $"{home}/t.model", $"{home}/s", "./~t", $"{home}/c"],
            [value.RunDirectory!, value.Name, value.Data.Tokenizer!, .. value.Data.Sources[0].Shards, value.Checkpoint.Tiers[0]]
        );
        Assert.EndsWith(
            "run_directory: '~joe/x' begins with another user's home; write the folder out, or ./~joe/x for a name that begins with ~.",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse("run_directory: ~joe/x")).Message
        );
    }

    [Fact]
    public void An_override_takes_any_text() =>
        Assert.Equal(
            "x #y: ${z}, [\"q\"]",
            ConfigurationLoader.Parse("train: { steps: 1 }", [ConfigurationLoader.Override("name", "x #y: ${z}, [\"q\"]")]).Value.Name
        );
}
