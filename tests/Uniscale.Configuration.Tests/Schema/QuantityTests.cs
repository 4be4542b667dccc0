using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration.Tests.Schema;

public sealed class QuantityTests
{
    [Theory]
    [InlineData("4M tokens", Unit.Tokens, 4_000_000)]
    [InlineData("4.1M", Unit.Tokens, 4_100_000)]
    [InlineData("1.6T", Unit.Tokens, 1_600_000_000_000)]
    [InlineData("10_000", Unit.Tokens, 10_000)]
    [InlineData("7B tokens", Unit.Tokens, 7_000_000_000)]
    [InlineData("32KiB", Unit.Bytes, 32_768)]
    [InlineData("1.5 GiB", Unit.Bytes, 1_610_612_736)]
    [InlineData("2GB", Unit.Bytes, 2_000_000_000)]
    [InlineData("30min", Unit.Duration, 1800)]
    [InlineData("500ms", Unit.Duration, 0.5)]
    [InlineData("2d", Unit.Duration, 172_800)]
    [InlineData("312 TFLOP/s", Unit.Flops, 312e12)]
    public void Suffixes_scale(string text, Unit unit, double expected)
    {
        Assert.True(Quantity.TryParse(text, unit, out double value));
        Assert.Equal(expected, value);
    }

    [Theory]
    [InlineData("4Q", Unit.Tokens)]
    [InlineData("M", Unit.Tokens)]
    [InlineData("", Unit.Tokens)]
    [InlineData("4KiB", Unit.Tokens)]
    [InlineData("4M", Unit.Bytes)]
    [InlineData("_4", Unit.Tokens)]
    [InlineData("1e400", Unit.Tokens)]
    [InlineData("nan", Unit.Tokens)]
    public void Other_texts_are_refused(string text, Unit unit) => Assert.False(Quantity.TryParse(text, unit, out _));

    [Theory]
    [InlineData("9007199254740993", 9_007_199_254_740_993)]
    [InlineData("-1_0", -10L)]
    [InlineData("2.5e1", 25L)]
    [InlineData("2.5", null)]
    [InlineData("1,000", null)]
    [InlineData("1e19", null)]
    [InlineData("0x10", null)]
    [InlineData(" 1", null)]
    [InlineData("", null)]
    public void A_whole_number_is_exact_however_it_is_written(string text, long? expected) =>
        Assert.Equal(expected, Quantity.TryParseWhole(text, out long value) ? value : null);

    [Theory]
    [InlineData(1_600_000_000_000, "1.6T")]
    [InlineData(4_000_000, "4M")]
    [InlineData(1_234, "1234")]
    [InlineData(0, "0")]
    public void Counts_are_shortened_only_where_exact(long count, string expected) => Assert.Equal(expected, Quantity.FormatTokens(count));
}
