namespace Uniscale.Corpus;

/// <summary>A document, or a stretch of a long one, as UTF-8.</summary>
/// <param name="Text">The text; valid until the next part is asked for, unless copied.</param>
/// <param name="IsFirst">A document begins here.</param>
/// <param name="IsLast">A document ends here.</param>
public readonly record struct DocumentPart(ReadOnlyMemory<byte> Text, bool IsFirst, bool IsLast);
