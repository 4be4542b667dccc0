using System.Globalization;
using System.Text.RegularExpressions;
using Uniscale.Configuration;

namespace Uniscale.Experiments.Verification;

/// <summary>A layout in short form, e.g. <c>tp2 pp2 dp2 zero3</c>, and what of the model it is tried on.</summary>
/// <param name="Text">The short form.</param>
/// <param name="Parallel">What it means.</param>
public sealed partial record LayoutSpec(string Text, ParallelSection Parallel)
{
    private static readonly string[] ModelWords = ["tied", "mask", "gpt2"];

    /// <summary>Words that change the model, so that it is compared with one rank of the same model.</summary>
    public string Variant { get; init; } = "";

    /// <summary>Ranks that the layout needs.</summary>
    public int Ranks => Parallel.ReplicaRanks * Math.Max(1, Parallel.Data);

    /// <summary>
    /// The model that the layout is tried on: <c>tied</c> ties the embeddings, <c>mask</c> ends attention and loss with documents,
    /// <c>gpt2</c>
    /// takes layer norms, GELU, learned positions, biases and one key-value head for each query head.
    /// </summary>
    public ModelSection ModelOf(ModelSection model)
    {
        foreach (string word in Variant.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            model = word switch
            {
                "tied" => model with { TiedEmbeddings = true },
                "mask" => model with { DocumentMask = true },
                _ => model with
                {
                    Norm = NormKind.LayerNorm,
                    Activation = ActivationKind.Gelu,
                    Positions = PositionKind.Learned,
                    QkvBias = true,
                    AttentionOutputBias = true,
                    FfnBias = true,
                    KvHeads = 0,
                },
            };
        }
        return model;
    }

    /// <summary>
    /// Reads a short form: words for the axes (<c>dp2 tp2 pp4 cp2</c>), ZeRO and its group (<c>zero2 group2</c>), the schedule
    /// (<c>gpipe 1f1b interleaved zb</c>, <c>chunks2</c>), <c>sp</c>, <c>ulysses</c>, and what is computed again
    /// (<c>recompute-selective recompute-block recompute-every2</c>); and those of <see cref="ModelOf"/>.
    /// </summary>
    /// <exception cref="UserErrorException">A word is unknown.</exception>
    public static LayoutSpec Parse(string text)
    {
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToLookup(ModelWords.Contains);
        var parallel = words[false].Aggregate(new ParallelSection { Data = 1 }, (section, word) => Apply(section, word, text));
        return new LayoutSpec(text, parallel) { Variant = string.Join(' ', words[true].Order()) };
    }

    private static ParallelSection Apply(ParallelSection parallel, string word, string text)
    {
        var match = Word().Match(word);
        int number = match.Groups[2].Length > 0 ? int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) : 0;
        if (match.Groups[1].Value is "dp" or "tp" or "pp" or "cp" && number < 1)
            throw new UserErrorException(
                $"The layout '{text}' has the word '{word}'; the size of an axis is 1 or more, e.g. {match.Groups[1].Value}2."
            );
        return match.Groups[1].Value switch
        {
            "dp" => parallel with { Data = number },
            "tp" => parallel with { Tensor = number },
            "pp" => parallel with { Pipeline = number },
            "cp" => parallel with { Context = number },
            "zero" => parallel with { Zero = parallel.Zero with { Stage = number } },
            "group" => parallel with { Zero = parallel.Zero with { Group = number } },
            "chunks" => parallel with { Chunks = number },
            "sp" => parallel with { Sequence = true },
            "ulysses" => parallel with { ContextMethod = ContextKind.AllToAll },
            "gpipe" => parallel with { Schedule = "gpipe" },
            "1f1b" => parallel with { Schedule = "1f1b" },
            "interleaved" => parallel with { Schedule = "interleaved-1f1b", Chunks = Math.Max(2, number) },
            "zb" => parallel with { Schedule = "zero-bubble" },
            "recompute-selective" => parallel with { Recompute = RecomputeKind.Selective },
            "recompute-block" => parallel with { Recompute = RecomputeKind.Block },
            "recompute-every" => parallel with { Recompute = RecomputeKind.EveryKth, RecomputeEvery = number },
            _ => throw new UserErrorException(
                $"The layout '{text}' has the unknown word '{word}'; words are dpN tpN ppN cpN zeroN groupN sp ulysses gpipe 1f1b interleaved zb chunksN recompute-selective recompute-block recompute-everyN tied mask gpt2."
            ),
        };
    }

    [GeneratedRegex(@"^(1f1b|.*?)(\d*)$")]
    private static partial Regex Word();
}
