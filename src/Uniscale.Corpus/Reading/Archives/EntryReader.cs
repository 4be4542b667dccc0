namespace Uniscale.Corpus.Reading.Archives;

/// <summary>
/// Reads what is in an archive: a small entry gives all its documents or, where it is damaged, none, and the others go on; damage in a
/// large one is the archive's.
/// </summary>
internal static class EntryReader
{
    /// <summary>Bytes of documents that are held back until their entry is known to be whole.</summary>
    private const long HeldBytes = 8 << 20;

    /// <summary>The documents of an entry, named by it.</summary>
    /// <param name="open">Opens it.</param>
    /// <param name="name">Its name within the archive.</param>
    /// <param name="context">What the user asked for.</param>
    public static IEnumerable<RawDocument> Read(Func<RawInput> open, string name, ReadingContext context)
    {
        if (FormReaders.IsNoText(name))
        {
            yield return RawDocument.Left($"/{name}", FormReaders.NoTextByName);
            yield break;
        }
        var held = new List<RawDocument>();
        long bytes = 0;
        bool isDamaged = false;
        using (var documents = Documents(open, context).GetEnumerator())
        {
            while (true)
            {
                try
                {
                    if (!documents.MoveNext())
                        break;
                }
                catch (Exception error) when (bytes < HeldBytes && error is not OperationCanceledException)
                {
                    context.Damaged.Add($"{name} ({Sentence.Of(error)})");
                    isDamaged = true;
                    break;
                }
                held.Add(documents.Current);
                bytes += documents.Current.Bytes;
                if (bytes < HeldBytes)
                    continue;
                foreach (var document in held)
                    yield return Named(document, name);
                held.Clear();
            }
        }
        if (isDamaged)
            yield return RawDocument.Left($"/{name}", "damaged, within an archive");
        else
            foreach (var document in held)
                yield return Named(document, name);
    }

    private static IEnumerable<RawDocument> Documents(Func<RawInput> open, ReadingContext context)
    {
        using var input = open();
        foreach (var document in context.Read(input))
            yield return document;
    }

    private static RawDocument Named(RawDocument document, string name) =>
        document with
        {
            Place = $"/{name}{(document.Place.Length == 0 || document.Place[0] is '#' or '/' ? "" : ":")}{document.Place}",
        };
}
