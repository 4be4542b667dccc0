namespace Uniscale.Tests;

/// <summary>Tests that take minutes: they run where <c>UNISCALE_NIGHTLY=1</c> is set (docs/how-to/testing.md).</summary>
internal static class Nightly
{
    /// <summary>Whether it is night: a test may then look at more.</summary>
    public static bool Is => Environment.GetEnvironmentVariable("UNISCALE_NIGHTLY") is "1";

    /// <summary>Skips the test by day.</summary>
    public static void Only() => Assert.SkipUnless(Is, "It takes minutes: set UNISCALE_NIGHTLY=1.");
}
