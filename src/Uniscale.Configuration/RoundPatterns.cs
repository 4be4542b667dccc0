namespace Uniscale.Configuration;

/// <summary>Names of the patterns that the fast path of rounds always looks for; a pattern of the user's has another.</summary>
public static class RoundPatterns
{
    /// <summary>Late answers are longer than early ones.</summary>
    public const string Longer = "longer";

    /// <summary>They are shorter.</summary>
    public const string Shorter = "shorter";

    /// <summary>They say things again.</summary>
    public const string Repetition = "repetition";

    /// <summary>A reward model that the policy does not learn from likes them less.</summary>
    public const string HeldOut = "held-out";

    /// <summary>Those to different prompts are alike.</summary>
    public const string Alike = "alike";

    /// <summary>They do not end.</summary>
    public const string Unended = "unended";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> Always { get; } = [Longer, Shorter, Repetition, HeldOut, Alike, Unended];
}
