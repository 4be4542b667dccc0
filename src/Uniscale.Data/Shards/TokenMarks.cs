namespace Uniscale.Data;

/// <summary>What a token is besides its number, in samples that are made for fine-tuning.</summary>
[Flags]
public enum TokenMarks : byte
{
    /// <summary>It is only read.</summary>
    None = 0,

    /// <summary>It is learned: the loss is taken where it is the target.</summary>
    Learned = 1,

    /// <summary>The score of its answer is read here.</summary>
    Score = 2,

    /// <summary>Its answer is the last of its comparison; answers stand from the best to the worst.</summary>
    Last = 4,
}

/// <summary>What the packs of a shard hold.</summary>
public enum PackKind
{
    /// <summary>Samples that are learned each for itself.</summary>
    Samples = 0,

    /// <summary>Answers to the same prompt, from the best to the worst, side by side in one pack.</summary>
    Comparisons = 1,
}
