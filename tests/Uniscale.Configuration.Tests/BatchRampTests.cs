namespace Uniscale.Configuration.Tests;

public sealed class BatchRampTests
{
    [Fact]
    public void Without_a_ramp_the_batch_is_constant() => Assert.Equal([(0L, 16)], BatchRamp.Of(new BatchSection { Global = 16 }, 256));

    [Fact]
    public void Plain_values_are_sequences_and_suffixed_ones_tokens() =>
        Assert.Equal(
            [(0L, 16), (10_000_000L, 1024), (20_000_000_000L, 2000)],
            BatchRamp.Of(
                ConfigurationLoader
                    .Parse("{ batch: { ramp: { 0: 16, 10M: 4194304 tokens, 20B: 8.192M } }, train: { steps: 1 } }")
                    .Value.Batch,
                4096
            )
        );

    /// <summary>However a number is written, it is that number; only a unit makes it tokens.</summary>
    [Theory]
    [InlineData("16", 16)]
    [InlineData("1_6", 16)]
    [InlineData("1.6e1", 16)]
    [InlineData("16.0", 16)]
    [InlineData("1_000", 1000)]
    [InlineData("\"16\"", 16)]
    [InlineData("1K", 16)]
    [InlineData("1_024 tokens", 16)]
    [InlineData("1.024K", 16)]
    public void Every_way_to_write_a_number_means_one_thing(string value, int sequences) =>
        Assert.Equal(
            sequences,
            BatchRamp
                .Of(ConfigurationLoader.Parse($"{{ batch: {{ ramp: {{ 0: {value} }} }}, train: {{ steps: 1 }} }}").Value.Batch, 64)[0]
                .Sequences
        );

    [Theory]
    [InlineData(
        "{ 0: 16.5 }",
        "A value of batch.ramp is '16.5', which makes 16.5 sequences of 256 tokens: give a whole number of sequences from 1 to 1048576, or tokens with a suffix such as 4M."
    )]
    [InlineData(
        "{ 0: 0 }",
        "A value of batch.ramp is '0', which makes 0 sequences of 256 tokens: give a whole number of sequences from 1 to 1048576, or tokens with a suffix such as 4M."
    )]
    [InlineData(
        "{ 0: 100 tokens }",
        "A value of batch.ramp is '100 tokens', which makes 0 sequences of 256 tokens: give a whole number of sequences from 1 to 1048576, or tokens with a suffix such as 4M."
    )]
    [InlineData("{ 0: 1__6 }", "A value of batch.ramp is '1__6', which is no count of tokens such as 4M, 10B or 1.6T.")]
    [InlineData("{ 1M: 16 }", "batch.ramp begins at 1M: let its first key be 0.")]
    [InlineData("{ 0: 16, 2M: 32, 1M: 64 }", "batch.ramp is not in rising order at 1M: sort its keys.")]
    [InlineData("{ 0: many }", "A value of batch.ramp is 'many', which is no count of tokens such as 4M, 10B or 1.6T.")]
    [InlineData("{ soon: 16 }", "A key of batch.ramp is 'soon', which is no count of tokens such as 4M, 10B or 1.6T.")]
    public void A_wrong_ramp_is_refused_with_its_place(string ramp, string expected)
    {
        string message = Assert
            .Throws<UserErrorException>(() => ConfigurationLoader.Parse($"{{ batch: {{ ramp: {ramp} }}, train: {{ steps: 1 }} }}"))
            .Message;
        Assert.Equal("config.yaml:1:18: " + expected, message);
    }
}
