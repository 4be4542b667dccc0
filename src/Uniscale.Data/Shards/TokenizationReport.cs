namespace Uniscale.Data;

/// <summary>What became of one set of documents.</summary>
/// <param name="Documents">Documents written for training.</param>
/// <param name="Tokens">Their tokens, separators included.</param>
/// <param name="ValidationDocuments">Documents set aside.</param>
/// <param name="ValidationTokens">Their tokens.</param>
/// <param name="Bytes">Bytes of text of all.</param>
/// <param name="EmptyDocuments">Documents without text, which are left out.</param>
/// <param name="Elapsed">Time it took.</param>
public sealed record TokenizationReport(
    long Documents,
    long Tokens,
    long ValidationDocuments,
    long ValidationTokens,
    long Bytes,
    long EmptyDocuments,
    TimeSpan Elapsed
)
{
    /// <summary>Stretches of text that hold U+2581, which a model writes for a space and so gives back as one.</summary>
    public long SpaceMarks { get; init; }
}
