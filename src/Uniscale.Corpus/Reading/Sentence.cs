namespace Uniscale.Corpus.Reading;

/// <summary>What libraries throw, as the end of a sentence.</summary>
internal static class Sentence
{
    private const int MostCharacters = 300;

    /// <summary>A file cannot be read, for a reason that <see cref="Of"/> gave.</summary>
    public static string Damaged(string path, string why) =>
        $"{path} cannot be read ({why}): it is cut, damaged or not what its name says.";

    /// <summary>One line, without a point.</summary>
    public static string Of(Exception error)
    {
        string message = (error is AggregateException { InnerException: { } inner } ? inner : error)
            .Message.ReplaceLineEndings(" ")
            .TrimEnd('.', ' ');
        return message.Length > MostCharacters ? message[..MostCharacters] + " ..." : message;
    }
}
