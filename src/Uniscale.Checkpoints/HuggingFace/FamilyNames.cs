namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>
/// The names of tensors in the family that a configuration is of: Llama and InternLM, whose names are the same, or InternLM2.
/// </summary>
/// <param name="config">The model's configuration.</param>
internal sealed class FamilyNames(LlamaConfig config)
{
    private readonly bool _packs = config.ModelType == LlamaConfig.InternLm2;

    /// <summary>The family in a sentence.</summary>
    public string Title =>
        config.ModelType switch
        {
            LlamaConfig.InternLm2 => "Uniscale's InternLM2",
            LlamaConfig.InternLm => "Uniscale's InternLM",
            _ => "Uniscale's Llama",
        };

    /// <summary>Rows of a projection in which queries, keys and values lie together.</summary>
    public long PackedRows => config.HeadWidth * (config.NumAttentionHeads + 2L * config.KvHeads);

    /// <summary>The parameters that a tensor holds, each with its rows there (null: all); empty: the family has no such tensor.</summary>
    public IReadOnlyList<(string Name, IReadOnlyList<RowRange>? Rows)> ToOurs(string theirs) =>
        _packs ? InternLm2Names.ToOurs(theirs, config)
        : LlamaNames.ToOurs(theirs) is { } name ? [(name, null)]
        : [];

    /// <summary>The name of the tensor that holds a parameter; null: the family has none.</summary>
    public string? ToTheirs(string ours) => _packs ? InternLm2Names.ToTheirs(ours) : LlamaNames.ToTheirs(ours);
}
