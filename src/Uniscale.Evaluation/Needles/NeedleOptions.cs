using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Engine.Model;

namespace Uniscale.Evaluation.Needles;

/// <summary>What a needle test asks.</summary>
public sealed record NeedleOptions
{
    /// <summary>The factor that InternLM2's authors serve with under dynamic NTK.</summary>
    private const double DynamicFactor = 2;

    /// <summary>Stands for the key in <see cref="Needle"/>.</summary>
    public const string KeyMark = "{key}";

    /// <summary>What the hidden sentence tells the number of, where <see cref="Needle"/> and <see cref="Question"/> are the default ones.</summary>
    internal const string Subject = "this text";

    /// <summary>Tokens of prompt and answer together, by row of the grid.</summary>
    public required IReadOnlyList<int> Lengths { get; init; }

    /// <summary>Places of the needle, evenly from the begin of the text (0%) to its end (100%); one alone: the middle.</summary>
    public int Depths { get; init; } = 11;

    /// <summary>Cells of the same length and depth, each with another order of documents and another key.</summary>
    public int Repeats { get; init; } = 1;

    /// <summary>Keys and orders of documents are functions of it.</summary>
    public long Seed { get; init; } = 1234;

    /// <summary>Tokens that the model may answer with; they are part of the length.</summary>
    public int AnswerTokens { get; init; } = 32;

    /// <summary>The sentence that is hidden.</summary>
    public string Needle { get; init; } = $"The secret number of {Subject} is {KeyMark}.";

    /// <summary>What stands behind the text, up to the place of the key.</summary>
    public string Question { get; init; } =
        $"\nQuestion: What is the secret number of {Subject}?\nAnswer: The secret number of {Subject} is";

    /// <summary>How rotary angles are stretched; null: as the model was trained.</summary>
    public RopeScalingKind? Scaling { get; init; }

    /// <summary>Stretch factor; null: what each length needs beyond the model's context, and 2 with the dynamic one.</summary>
    public double? Factor { get; init; }

    /// <summary>Whether queries beyond the trained context are scaled by the logarithm of their position (log-n).</summary>
    public bool LogN { get; init; }

    /// <summary>The places in percent.</summary>
    public IReadOnlyList<double> DepthPercents =>
        Depths == 1 ? [50] : [.. Enumerable.Range(0, Depths).Select(i => 100.0 * i / (Depths - 1))];

    /// <summary>
    /// Lengths as users write them: <c>1k,4k,32k</c>, or <c>1k..200k</c>: doubled from the first as long as they are below the last, and
    /// the last. 1k is 1,000 tokens.
    /// </summary>
    /// <exception cref="UserErrorException">The text is none of lengths.</exception>
    public static IReadOnlyList<int> ParseLengths(string text)
    {
        var lengths = new SortedSet<int>();
        foreach (string part in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] ends = part.Split("..", 2);
            (int first, int last) = (One(ends[0]), One(ends[^1]));
            if (first > last)
                throw new UserErrorException($"--lengths {part} goes from a longer length to a shorter one: write {ends[^1]}..{ends[0]}.");
            for (long length = first; length < last; length *= 2)
                lengths.Add((int)length);
            lengths.Add(last);
        }
        return lengths.Count > 0 ? [.. lengths] : throw new UserErrorException("--lengths names no length: write for example 1k..32k.");

        static int One(string text) =>
            Quantity.ParseTokens(text, "--lengths") is > 0 and <= Limits.Context and var length
                ? (int)length
                : throw new UserErrorException($"--lengths {text} is no length of a text: give 1 to {Limits.Context} tokens.");
    }

    /// <summary>A stretching as users write it: the names of <c>model.rope_scaling</c>.</summary>
    /// <exception cref="UserErrorException">There is no such stretching.</exception>
    public static RopeScalingKind ParseScaling(string text)
    {
        var kinds = Enum.GetValues<RopeScalingKind>().ToDictionary(kind => Names.Kebab(kind.ToString()));
        return kinds.TryGetValue(text, out var found)
            ? found
            : throw new UserErrorException($"--rope-scaling is '{text}'; give one of {string.Join(", ", kinds.Keys)}.");
    }

    /// <summary>Refuses what makes no sense, with a sentence.</summary>
    public void Check()
    {
        if (Depths < 1)
            throw new UserErrorException($"--depths is {Depths}; give 1 or more.");
        if (Repeats < 1)
            throw new UserErrorException($"--repeats is {Repeats}; give 1 or more.");
        if (AnswerTokens < 1)
            throw new UserErrorException($"--tokens is {AnswerTokens}; give 1 or more.");
        if (!Needle.Contains(KeyMark, StringComparison.Ordinal))
            throw new UserErrorException($"--needle '{Needle}' has no place for the key: write {KeyMark} where it is to stand.");
        if (Question.Contains(KeyMark, StringComparison.Ordinal))
            throw new UserErrorException($"--question '{Question}' has {KeyMark}, which would tell the answer: take it out.");
        if (Question.Length == 0)
            throw new UserErrorException("--question is empty: give it the text behind which the key comes.");
        if (Factor is { } factor && Scaling is null or RopeScalingKind.None)
            throw new UserErrorException($"--rope-factor is {Quantity.Format(factor)} without a stretching: name one with --rope-scaling.");
        if (Factor is < 1 or double.NaN or double.PositiveInfinity)
            throw new UserErrorException($"--rope-factor is {Quantity.Format(Factor.Value)}; give 1 or more.");
    }

    /// <summary>The model's shape for a text of this length.</summary>
    /// <param name="shape">The model as trained.</param>
    /// <param name="length">Tokens of the text.</param>
    /// <exception cref="UserErrorException">The model cannot read so long a text.</exception>
    public ModelSection At(ModelSection shape, int length)
    {
        if (LogN && shape.Positions != PositionKind.Rope)
            throw new UserErrorException("--log-n scales queries with rotary positions, and this model has a learned table of them: leave it out.");
        if (LogN && shape.LogNContext > 0)
            throw new UserErrorException(
                $"--log-n would scale queries that are scaled already (model.log_n_context is {shape.LogNContext}): leave it out."
            );
        if (LogN)
            shape = shape with { LogNContext = shape.Context };
        if (Scaling is null or RopeScalingKind.None)
        {
            return length <= shape.Context || shape.RopeScaling == RopeScalingKind.Dynamic
                ? RotaryStretch.At(shape, length)
                : throw new UserErrorException(
                    $"--lengths asks for {length} tokens, and the model was trained for {shape.Context}: shorten --lengths, or stretch its positions with --rope-scaling."
                );
        }
        if (shape.Positions != PositionKind.Rope)
            throw new UserErrorException(
                "--rope-scaling stretches rotary angles, and this model has a learned table of positions: leave it out."
            );
        if (shape.RopeScaling != RopeScalingKind.None)
            throw new UserErrorException(
                $"--rope-scaling would stretch positions that are stretched already (model.rope_factor is {Quantity.Format(shape.RopeFactor)}): leave it out."
            );
        bool dynamic = Scaling == RopeScalingKind.Dynamic,
            trained = dynamic || Scaling is RopeScalingKind.Yarn or RopeScalingKind.Llama3;
        var stretched = shape with
        {
            RopeScaling = Scaling.Value,
            RopeFactor = Factor ?? (dynamic ? DynamicFactor : Math.Max(1, (double)length / shape.Context)),
            RopeTrainedContext = trained ? shape.Context : 0,
        };
        return RotaryStretch.At(stretched with { Context = Math.Max(length, shape.Context) }, length);
    }
}
