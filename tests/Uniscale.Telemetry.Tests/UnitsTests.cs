namespace Uniscale.Telemetry.Tests;

public sealed class UnitsTests
{
    [Theory]
    [InlineData(999, "999")]
    [InlineData(41_000, "41.0K")]
    [InlineData(1.6e12, "1.60T")]
    public void Counts(double value, string expected) => Assert.Equal(expected, Units.Count(value));

    [Theory]
    [InlineData(5, "5s")]
    [InlineData(192, "3m12s")]
    [InlineData(7_500, "2h05m")]
    [InlineData(273_600, "3d04h")]
    public void Durations(double seconds, string expected) => Assert.Equal(expected, Units.Duration(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public void Bytes_are_binary_and_speeds_decimal()
    {
        Assert.Equal("1.50 KiB", Units.Bytes(1536));
        Assert.Equal("890 GFLOP/s", Units.Flops(890e9));
        Assert.Equal("n/a", Units.Mfu(null));
    }
}
