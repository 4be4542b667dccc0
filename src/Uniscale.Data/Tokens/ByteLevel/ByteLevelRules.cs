namespace Uniscale.Data;

/// <summary>What a tokenizer.json says of how a text becomes tokens.</summary>
/// <param name="Vocabulary">Entries and merges.</param>
/// <param name="Added">Tokens beside them.</param>
/// <param name="Rewrites">How a text is rewritten first.</param>
/// <param name="Splits">How it falls into words.</param>
/// <param name="TextBegin">Token that the file puts before a text when it is asked for special tokens; null: none.</param>
/// <param name="TextEnd">Token that it puts behind.</param>
internal sealed record ByteLevelRules(
    ByteLevelVocabulary Vocabulary,
    IReadOnlyList<AddedToken> Added,
    IReadOnlyList<TextRewrite> Rewrites,
    IReadOnlyList<TextSplit> Splits,
    string? TextBegin,
    string? TextEnd
);
