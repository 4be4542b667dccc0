using System.Text.RegularExpressions;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>A stretch of rows of a foreign tensor.</summary>
/// <param name="First">Its first row.</param>
/// <param name="Count">Its rows.</param>
internal readonly record struct RowRange(long First, long Count);

/// <summary>
/// Names of InternLM2's tensors, and where its packed projection has what: rows for each key-value head in turn, first its query heads,
/// then its key, then its value
/// (modeling_internlm2.py).
/// </summary>
internal static partial class InternLm2Names
{
    private static readonly (string Ours, string Theirs)[] Whole =
    [
        ("embedding.tokens.weight", "model.tok_embeddings.weight"),
        ("head.norm.weight", "model.norm.weight"),
        ("head.output.weight", "output.weight"),
    ];

    private static readonly (string Ours, string Theirs)[] InLayer =
    [
        ("attention_norm", "attention_norm"),
        ("attention.wo", "attention.wo"),
        ("ffn_norm", "ffn_norm"),
        ("ffn.w1", "feed_forward.w1"),
        ("ffn.w3", "feed_forward.w3"),
        ("ffn.w2", "feed_forward.w2"),
    ];

    private static readonly string[] Packed = ["attention.wq", "attention.wk", "attention.wv"];

    /// <summary>
    /// The parameters that a foreign tensor holds, each with its rows there (null: all); empty: InternLM2 has no such tensor.
    /// </summary>
    public static IReadOnlyList<(string Name, IReadOnlyList<RowRange>? Rows)> ToOurs(string theirs, LlamaConfig config)
    {
        if (Whole.FirstOrDefault(pair => pair.Theirs == theirs).Ours is { } whole)
            return [(whole, null)];
        if (Layer().Match(theirs) is not { Success: true } match)
            return [];
        string prefix = $"layers.{match.Groups["layer"].Value}.",
            kind = match.Groups["kind"].Value;
        if (match.Groups["module"].Value == "attention.wqkv")
            return [.. Packed.Select((name, part) => ($"{prefix}{name}.{kind}", Rows(part, config)))];
        return InLayer.FirstOrDefault(pair => pair.Theirs == match.Groups["module"].Value).Ours is { } module
            ? [($"{prefix}{module}.{kind}", null)]
            : [];
    }

    /// <summary>The name of the tensor that holds a parameter.</summary>
    public static string? ToTheirs(string ours)
    {
        if (Whole.FirstOrDefault(pair => pair.Ours == ours).Theirs is { } whole)
            return whole;
        if (OurLayer().Match(ours) is not { Success: true } match)
            return null;
        string module = match.Groups["module"].Value;
        string? theirs = Packed.Contains(module) ? "attention.wqkv" : InLayer.FirstOrDefault(pair => pair.Ours == module).Theirs;
        return theirs is null ? null : $"model.layers.{match.Groups["layer"].Value}.{theirs}.{match.Groups["kind"].Value}";
    }

    /// <summary>Rows of the packed projection that are queries (0), keys (1) or values (2), in the order of heads.</summary>
    private static IReadOnlyList<RowRange> Rows(int part, LlamaConfig config)
    {
        long width = config.HeadWidth,
            heads = config.KvHeads,
            queries = config.NumAttentionHeads / heads;
        var (first, count) = part switch
        {
            0 => (0L, queries),
            1 => (queries, 1L),
            _ => (queries + 1, 1L),
        };
        return [.. Enumerable.Range(0, (int)heads).Select(head => new RowRange((head * (queries + 2) + first) * width, count * width))];
    }

    [GeneratedRegex(@"^model\.layers\.(?<layer>\d+)\.(?<module>[\w.]+)\.(?<kind>weight|bias)$")]
    private static partial Regex Layer();

    [GeneratedRegex(@"^layers\.(?<layer>\d+)\.(?<module>[\w.]+)\.(?<kind>weight|bias)$")]
    private static partial Regex OurLayer();
}
