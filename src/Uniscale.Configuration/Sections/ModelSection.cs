using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>Normalisation in front of attention and feed-forward.</summary>
public enum NormKind
{
    /// <summary>Mean and variance removed, then scaled and shifted (Ba et al., 2016).</summary>
    [YamlName("layernorm", "layer-norm")]
    LayerNorm,

    /// <summary>Divided by the root mean square, then scaled (Zhang and Sennrich, 2019).</summary>
    [YamlName("rmsnorm", "rms-norm")]
    RmsNorm,
}

/// <summary>Feed-forward activation: GELU (two matrices) or SwiGLU (three).</summary>
public enum ActivationKind
{
    /// <summary>Two matrices around a GELU (Hendrycks and Gimpel, 2016).</summary>
    Gelu,

    /// <summary>Three matrices, one of them a gate through SiLU (Shazeer, 2020).</summary>
    Swiglu,
}

/// <summary>How positions enter: a learned table added to the embedding, or rotary embedding of queries and keys.</summary>
public enum PositionKind
{
    /// <summary>A learned table added to the embedding.</summary>
    Learned,

    /// <summary>Rotary embedding of queries and keys (Su et al., 2021).</summary>
    Rope,
}

/// <summary>How the rotary angles are stretched beyond the trained context.</summary>
public enum RopeScalingKind
{
    /// <summary>As trained.</summary>
    None,

    /// <summary>Positions divided by the factor (Chen et al., 2023).</summary>
    Linear,

    /// <summary>The base multiplied by factor^(d/(d-2)), d the width of a head.</summary>
    NtkAware,

    /// <summary>
    /// Texts up to the trained context as trained; for a longer one of n tokens, in inference, the base multiplied by (factor·n/context −
    /// (factor − 1))^(d/(d-2)).
    /// </summary>
    Dynamic,

    /// <summary>Fast pairs as trained, slow ones divided by the factor, queries and keys scaled (YaRN, Peng et al., 2023).</summary>
    Yarn,

    /// <summary>Fast pairs as trained, slow ones divided by the factor, by wavelength (Llama 3.1).</summary>
    Llama3,
}

/// <summary>Shape of a decoder-only transformer.</summary>
public sealed record ModelSection
{
    /// <summary>Preset whose values are taken where this section is silent: gpt2, llama, internlm, internlm2.</summary>
    public string? Preset { get; init; }

    /// <summary>Transformer blocks.</summary>
    [Range(1, Limits.Layers)]
    public int Layers { get; init; } = 6;

    /// <summary>Width of the residual stream.</summary>
    [Range(1, Limits.Width)]
    public int Hidden { get; init; } = 384;

    /// <summary>Query heads.</summary>
    [Range(1, Limits.Heads)]
    public int Heads { get; init; } = 6;

    /// <summary>Key and value heads; 0: as many as <see cref="Heads"/> (multi-head attention).</summary>
    [Range(0, Limits.Heads)]
    public int KvHeads { get; init; }

    /// <summary>Width of a head; 0: <see cref="Hidden"/> / <see cref="Heads"/>.</summary>
    [Range(0, Limits.Width)]
    public int HeadDim { get; init; }

    /// <summary>Width of the feed-forward layer; 0: 4 × hidden for GELU, 8/3 × hidden rounded up to a multiple of 64 for SwiGLU.</summary>
    [Range(0, Limits.Width)]
    public int Ffn { get; init; }

    /// <summary>Tokens in a training sequence.</summary>
    [Range(1, Limits.Context)]
    public int Context { get; init; } = 256;

    /// <summary>Vocabulary entries; 0: the tokenizer's.</summary>
    [Range(0, Limits.Vocabulary)]
    public int Vocabulary { get; init; }

    /// <summary>Normalisation in front of attention and feed-forward.</summary>
    public NormKind Norm { get; init; } = NormKind.RmsNorm;

    /// <summary>Added to the variance before its root.</summary>
    [Range(0, 0.1, MinimumExclusive = true)]
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>Feed-forward activation.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.Swiglu;

    /// <summary>How positions enter.</summary>
    public PositionKind Positions { get; init; } = PositionKind.Rope;

    /// <summary>Base of the rotary angles.</summary>
    [Range(1, MinimumExclusive = true)]
    public double RopeBase { get; init; } = 10_000;

    /// <summary>Stretching of rotary angles beyond the trained context.</summary>
    public RopeScalingKind RopeScaling { get; init; } = RopeScalingKind.None;

    /// <summary>Stretch factor of <see cref="RopeScaling"/>.</summary>
    [Range(1)]
    public double RopeFactor { get; init; } = 1;

    /// <summary>
    /// Context of which <see cref="RopeScaling"/> speaks: the trained one before the stretching; 0 with dynamic: <see cref="Context"/>.
    /// </summary>
    [Range(0, Limits.Context)]
    public int RopeTrainedContext { get; init; }

    /// <summary>With yarn, pairs that turn more often than this within the trained context are kept.</summary>
    [Range(0, MinimumExclusive = true)]
    public double RopeFastTurns { get; init; } = 32;

    /// <summary>With yarn, pairs that turn less often than this within the trained context are divided by the factor.</summary>
    [Range(0, MinimumExclusive = true)]
    public double RopeSlowTurns { get; init; } = 1;

    /// <summary>With yarn, by what queries and keys are multiplied; 0: 0.1·ln(factor) + 1.</summary>
    [Range(0)]
    public double RopeAttentionFactor { get; init; }

    /// <summary>With llama3, pairs that turn more often than this within the trained context are kept.</summary>
    [Range(0, MinimumExclusive = true)]
    public double RopeHighFrequency { get; init; } = 4;

    /// <summary>With llama3, pairs that turn less often than this within the trained context are divided by the factor.</summary>
    [Range(0, MinimumExclusive = true)]
    public double RopeLowFrequency { get; init; } = 1;

    /// <summary>
    /// Queries at positions beyond this are multiplied by log(position + 1) / log(this), so that attention over many tokens stays as sharp
    /// (log-n scaling); 0: they are not.
    /// </summary>
    [Range(0, Limits.Context)]
    public int LogNContext { get; init; }

    /// <summary>Bias of the query, key and value projections.</summary>
    public bool QkvBias { get; init; }

    /// <summary>Bias of the attention output projection.</summary>
    public bool AttentionOutputBias { get; init; }

    /// <summary>Bias of the feed-forward matrices.</summary>
    public bool FfnBias { get; init; }

    /// <summary>The head uses the embedding's matrix.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>
    /// What the last block gives: logits of the vocabulary, or one score for each token. A score's head is not tied to the embedding.
    /// </summary>
    public HeadKind Head { get; init; } = HeadKind.Vocabulary;

    /// <summary>Standard deviation of the first weights of a score's head; 0: they are zero.</summary>
    [Range(0, 1)]
    public double ScoreStd { get; init; }

    /// <summary>Standard deviation of initial weights; matrices that write to the residual stream are scaled by 1/sqrt(2·layers).</summary>
    [Range(0, 1, MinimumExclusive = true)]
    public double InitStd { get; init; } = 0.02;

    /// <summary>Attention sees only its own document, and positions restart with it.</summary>
    public bool DocumentMask { get; init; }

    /// <summary>Key and value heads, resolved.</summary>
    public int KvHeadCount => KvHeads == 0 ? Heads : KvHeads;

    /// <summary>Width of a head, resolved.</summary>
    public int HeadWidth => HeadDim == 0 ? Hidden / Heads : HeadDim;

    /// <summary>Width of the feed-forward layer, resolved.</summary>
    public int FfnWidth =>
        Ffn != 0 ? Ffn
        : Activation == ActivationKind.Gelu ? 4 * Hidden
        : ((8 * Hidden / 3) + 63) / 64 * 64;
}
