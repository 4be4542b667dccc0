using System.Globalization;

namespace Uniscale.Cli.Curricula;

/// <summary>Counts as people read them.</summary>
internal static class TokenText
{
    private static readonly (double Unit, string Suffix)[] Units = [(1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "K")];

    /// <summary>Four significant digits and a suffix: 812B, 1.605T, 37.5K, 4096.</summary>
    public static string Of(long count)
    {
        foreach ((double unit, string suffix) in Units)
            if (count >= unit)
                return (count / (suffix == "K" ? 1e3 : unit)).ToString("G4", CultureInfo.InvariantCulture) + suffix;
        return count.ToString(CultureInfo.InvariantCulture);
    }
}
