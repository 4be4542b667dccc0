using System.Globalization;

namespace Uniscale.Launching.Ranks;

/// <summary>Ranks in a sentence.</summary>
public static class RankNames
{
    private const int Shown = 8;

    /// <summary>For example <c>rank 3</c>, or <c>ranks 1, 2, 5 and 12 more</c>.</summary>
    public static string Of(IReadOnlyList<int> ranks)
    {
        string more = ranks.Count > Shown ? $" and {ranks.Count - Shown} more" : "";
        return $"{(ranks.Count == 1 ? "rank" : "ranks")} {string.Join(", ", ranks.Take(Shown).Select(rank => rank.ToString(CultureInfo.InvariantCulture)))}{more}";
    }
}
