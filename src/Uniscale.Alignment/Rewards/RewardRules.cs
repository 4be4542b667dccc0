using System.Globalization;
using System.Text.RegularExpressions;
using Uniscale.Alignment.Rollouts;
using Uniscale.Configuration;

namespace Uniscale.Alignment.Rewards;

/// <summary>Something that an answer is rewarded for and that can be checked by reading.</summary>
public abstract partial class RewardRule
{
    /// <summary>Name among what is measured.</summary>
    public abstract string Name { get; }

    /// <summary>What the rule gives is multiplied with.</summary>
    public double Weight { get; private init; }

    /// <summary>The rule of a configuration.</summary>
    public static RewardRule Of(RewardRuleSection section) =>
        section.Kind switch
        {
            RewardKind.Number => new NumberRule { Weight = section.Weight },
            RewardKind.Exact => new ExactRule { Weight = section.Weight },
            RewardKind.Model => new ModelRule { Weight = section.Weight },
            RewardKind.Format => new FormatRule(section.Pattern!) { Weight = section.Weight },
            _ => throw new ArgumentOutOfRangeException(nameof(section), section.Kind, "Unknown rule."),
        };

    /// <summary>From 0 to 1.</summary>
    /// <param name="answer">What the model wrote, without what ends it.</param>
    /// <param name="reference">The answer of the sample, without what ends it.</param>
    public abstract double Of(string answer, string reference);

    /// <summary>What the rule gives for an answer of which more than its text is known.</summary>
    public virtual double Of(DrawnAnswer drawn, string answer, string reference) => Of(answer, reference);

    /// <summary>The last number of a text, as it would be written plainly; null: there is none.</summary>
    internal static string? LastNumber(string text)
    {
        if (Numbers().Matches(text) is not { Count: > 0 } found)
            return null;
        string digits = found[^1].Value.Replace(",", "", StringComparison.Ordinal);
        // 7.0 is 7, and 007 too; what no decimal holds is compared as it stands.
        return decimal.TryParse(digits, NumberStyles.Number, CultureInfo.InvariantCulture, out decimal number)
            ? number.ToString("0.############################", CultureInfo.InvariantCulture)
            : digits;
    }

    /// <summary>A minus belongs to a number where no number or word stands before it; thousands may be set apart by commas.</summary>
    [GeneratedRegex(@"(?:(?<![\w.])-)?[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?", RegexOptions.CultureInvariant)]
    private static partial Regex Numbers();

    private sealed class NumberRule : RewardRule
    {
        public override string Name => "number";

        public override double Of(string answer, string reference) =>
            LastNumber(answer) is { } number && number == LastNumber(reference) ? 1 : 0;
    }

    private sealed class ExactRule : RewardRule
    {
        public override string Name => "exact";

        public override double Of(string answer, string reference) => answer.Trim() == reference.Trim() ? 1 : 0;
    }

    private sealed class ModelRule : RewardRule
    {
        public override string Name => "model";

        public override double Of(string answer, string reference) =>
            throw new NotSupportedException("A score is not a matter of the text alone.");

        public override double Of(DrawnAnswer drawn, string answer, string reference) => drawn.Score;
    }

    private sealed class FormatRule(string pattern) : RewardRule
    {
        private readonly Regex _pattern = RewardPattern.Compile(pattern);

        public override string Name => "format";

        public override double Of(string answer, string reference) => _pattern.IsMatch(answer) ? 1 : 0;
    }
}
