using System.Text;

namespace Uniscale.Corpus.Reading;

/// <summary>What a source says of a document besides its text.</summary>
/// <param name="SourceId">The source's own id.</param>
/// <param name="Url">Where it stood.</param>
/// <param name="Language">Its language, as the source writes it.</param>
/// <param name="Date">When it was written or fetched, as the source writes it.</param>
/// <param name="Score">The source's own measure of its worth.</param>
internal sealed record DocumentFields(
    string? SourceId = null,
    string? Url = null,
    string? Language = null,
    string? Date = null,
    double? Score = null
)
{
    public static readonly DocumentFields None = new();
}

/// <summary>A document's text, or why there is none.</summary>
/// <param name="Text">The text as UTF-8; null: it is left out.</param>
/// <param name="Fields">What is kept beside it.</param>
/// <param name="Reason">Why it is left out.</param>
/// <param name="IsRepaired">Its bytes were no UTF-8, or held half a surrogate pair.</param>
internal readonly record struct Extracted(
    ReadOnlyMemory<byte>? Text,
    DocumentFields? Fields = null,
    string? Reason = null,
    bool IsRepaired = false
)
{
    /// <summary>A text that was worked on as characters.</summary>
    public static Extracted Of(string text, DocumentFields? fields = null, bool isRepaired = false) =>
        new(Encoding.UTF8.GetBytes(text), fields, IsRepaired: isRepaired);

    public static Extracted Left(string reason) => new(null, Reason: reason);
}

/// <summary>
/// A document as a reader finds it: readers cut files into documents, one after the other; the work on a document is done by whoever has
/// time.
/// </summary>
/// <param name="Place">Where it stands within what was read: a number or a path; empty: it is all of it.</param>
/// <param name="Bytes">About how much there is to convert.</param>
/// <param name="Extract">Gives its text; safe to call on any thread, once.</param>
internal sealed record RawDocument(string Place, long Bytes, Func<Extracted> Extract)
{
    /// <summary>What is left out before anybody works on it.</summary>
    public static RawDocument Left(string place, string reason) => new(place, 0, () => Extracted.Left(reason));
}
