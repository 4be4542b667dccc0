using System.Runtime.InteropServices;
using System.Text;

namespace Uniscale.Corpus.Cleaning;

/// <summary>
/// The document under a worker's hands. Rules may change its text and its language; what is derived from the text is computed once and
/// shared by all rules.
/// One is used for many documents, so that its buffers are too.
/// </summary>
internal sealed class CleaningDocument
{
    private readonly List<Word> _words = [];
    private string _text = "";
    private bool _split;
    private StoredDocument _stored = new("", "", "");

    public string Id => _stored.Id;

    public string Source => _stored.Source;

    /// <summary>Its address, where its source had one.</summary>
    public string? Url => _stored.Url;

    /// <summary>Its source's own measure of its worth.</summary>
    public double? Score => _stored.Score;

    public string? Language { get; set; }

    /// <summary>Bytes of the text as UTF-8.</summary>
    public long Bytes { get; private set; }

    /// <summary>Tables that rules count in.</summary>
    public CountTable Counts { get; } = new();

    public string Text
    {
        get => _text;
        set
        {
            if (ReferenceEquals(value, _text))
                return;
            (_text, _split) = (value, false);
            Bytes = Encoding.UTF8.GetByteCount(value);
        }
    }

    /// <summary>The words of the text.</summary>
    public ReadOnlySpan<Word> Words
    {
        get
        {
            if (!_split)
            {
                _words.Clear();
                Cleaning.Words.Split(_text, _words);
                _split = true;
            }
            return CollectionsMarshal.AsSpan(_words);
        }
    }

    /// <summary>Takes the next document.</summary>
    public CleaningDocument Take(StoredDocument stored)
    {
        (_stored, Language, Text) = (stored, stored.Language, stored.Text);
        return this;
    }

    public StoredDocument ToStored() => _stored with { Text = Text, Language = Language };
}
