namespace Uniscale.Corpus.Reading;

/// <summary>Under which names corpora keep what: one table for all forms.</summary>
internal static class FieldNames
{
    public const string Id = "id",
        Url = "url",
        Language = "language",
        Date = "date",
        Score = "score";

    /// <summary>What can be kept beside the text.</summary>
    public static readonly IReadOnlyList<string> Kept = [Id, Url, Language, Date, Score];

    /// <summary>Texts: web corpora, code, RedPajama, pages turned to Markdown.</summary>
    public static readonly IReadOnlyList<FieldPath> Texts = Paths("text", "content", "raw_content", "markdown");

    /// <summary>Lists of chat messages.</summary>
    public static readonly IReadOnlyList<FieldPath> Messages = Paths("messages", "conversations", "conversation");

    private static readonly Dictionary<string, IReadOnlyList<FieldPath>> Places = new()
    {
        [Id] = Paths("id", "_id", "doc_id", "docid", "meta.id", "metadata.id"),
        [Url] = Paths("url", "source_url", "meta.url", "metadata.url"),
        [Language] = Paths("language", "lang", "meta.language", "metadata.language", "meta.lang"),
        [Date] = Paths("date", "created", "timestamp", "added", "meta.date", "metadata.date", "meta.timestamp", "metadata.timestamp"),
        [Score] = Paths("score", "language_score", "meta.score", "metadata.score"),
    };

    /// <summary>Where a field that is kept may stand, the likeliest first.</summary>
    public static IReadOnlyList<FieldPath> PlacesOf(string field) => Places[field];

    private static IReadOnlyList<FieldPath> Paths(params string[] paths) => [.. paths.Select(FieldPath.Parse)];
}
