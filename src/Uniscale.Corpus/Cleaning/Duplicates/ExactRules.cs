using System.Text;

namespace Uniscale.Corpus.Cleaning;

/// <summary>Drops documents that were there before.</summary>
internal sealed class ExactDocumentsRule : ICorpusRule
{
    public IObservations Observe(string path) => new Digests(path);

    public void Decide(IReadOnlyList<string> observations, IReadOnlyList<string> decisions, CancellationToken cancellation) =>
        FirstOccurrences.Decide(observations, decisions, cancellation);

    public IDocumentRule Apply(string decisions) => new FlaggedDocuments(Flags.Load(decisions));

    private sealed class Digests(string path) : IObservations
    {
        private readonly RecordFile.Writer<UInt128> _file = new(path);

        public void Add(CleaningDocument document) => _file.Add(FirstOccurrences.Digest(document.Text));

        public void Dispose() => _file.Dispose();
    }
}

/// <summary>Removes paragraphs that were there before, in this document or another; drops documents of which little remains.</summary>
internal sealed class ExactParagraphsRule(ExactParagraphsSection settings) : ICorpusRule
{
    public IObservations Observe(string path) => new Digests(path, settings.MinCharacters);

    public void Decide(IReadOnlyList<string> observations, IReadOnlyList<string> decisions, CancellationToken cancellation) =>
        FirstOccurrences.Decide(observations, decisions, cancellation);

    public IDocumentRule Apply(string decisions) => new FlaggedParagraphs(settings, Flags.Load(decisions));

    private sealed class Digests(string path, int minCharacters) : IObservations
    {
        private readonly RecordFile.Writer<UInt128> _file = new(path);

        public void Add(CleaningDocument document)
        {
            foreach (var range in Paragraphs.Of(document.Text))
                if (document.Text.AsSpan(range) is var paragraph && paragraph.Length >= minCharacters)
                    _file.Add(FirstOccurrences.Digest(paragraph));
        }

        public void Dispose() => _file.Dispose();
    }

    private sealed class FlaggedParagraphs(ExactParagraphsSection settings, Flags flags) : IDocumentRule
    {
        private int _next;

        public bool Keeps(CleaningDocument document)
        {
            ReadOnlySpan<char> text = document.Text;
            StringBuilder? kept = null;
            int copied = 0;
            foreach (var range in Paragraphs.Of(document.Text))
            {
                (int start, int length) = range.GetOffsetAndLength(text.Length);
                if (length < settings.MinCharacters || !flags[_next++])
                    continue;
                (kept ??= new StringBuilder(text.Length)).Append(text[copied..start]);
                copied = start + length;
                while (copied < text.Length && text[copied] == '\n')
                    copied++;
            }
            if (kept is null)
                return true;
            string rest = kept.Append(text[copied..]).ToString().TrimEnd('\n');
            if (rest.AsSpan().IsWhiteSpace() || rest.Length < (1 - settings.MaxRemoved) * text.Length)
                return false;
            document.Text = rest;
            return true;
        }
    }
}

/// <summary>Stretches of text between empty lines.</summary>
internal static class Paragraphs
{
    public static IEnumerable<Range> Of(string text)
    {
        for (int start = 0; start < text.Length;)
        {
            if (text[start] == '\n')
            {
                start++;
                continue;
            }
            int end = text.IndexOf("\n\n", start, StringComparison.Ordinal);
            end = end < 0 ? text.Length : end;
            yield return start..end;
            start = end;
        }
    }
}
