using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Corpus.Chat;

namespace Uniscale.Corpus.Reading;

/// <summary>How files are read.</summary>
public sealed record ReadingOptions
{
    /// <summary>The form of all files; "auto": each is what its content says.</summary>
    public string Form { get; init; } = FormReaders.Auto;

    /// <summary>
    /// Where the text of a record stands, e.g. <c>text</c>, <c>meta.body</c> or <c>messages[].content</c>; null: the first of the usual
    /// names.
    /// </summary>
    public string? Text { get; init; }

    /// <summary>How lists of chat messages become text; null: they do not.</summary>
    public string? Template { get; init; }

    /// <summary>Which fields are kept beside the text.</summary>
    public IReadOnlyList<string> Keep { get; init; } = FieldNames.Kept;

    /// <summary>Refuses what nobody can follow.</summary>
    /// <exception cref="UserErrorException">A form, a field or a template is unknown.</exception>
    internal void Check()
    {
        if (Form != FormReaders.Auto && !FormReaders.Names.Contains(Form))
            throw new UserErrorException($"--form {Form} is unknown{Names.Hint(Form, FormReaders.Names)}");
        foreach (string field in Keep.Except(FieldNames.Kept))
            throw new UserErrorException($"--keep {field} is unknown{Names.Hint(field, FieldNames.Kept)}");
        if (Template is { } template)
            ChatTemplate.Of(template);
        if (Text is { } text)
            FieldPath.Parse(text);
    }
}

/// <summary>What a reader is given for one raw file, and what it notes.</summary>
/// <param name="options">What the user asked for.</param>
/// <param name="workFolder">Where a reader may put what it cannot hold in memory; made by the first who needs it.</param>
internal sealed class ReadingContext(ReadingOptions options, string workFolder)
{
    private const int MostNested = 5;

    private readonly SortedDictionary<string, int> _recognised = new(StringComparer.Ordinal);
    private int _depth;

    public ReadingOptions Options => options;

    public string WorkFolder => workFolder;

    public FieldPath? TextPath { get; } = options.Text is { } text ? FieldPath.Parse(text) : null;

    public ChatTemplate? Template { get; } = options.Template is { } template ? ChatTemplate.Of(template) : null;

    /// <summary>What the file was taken for, and what is in it: "gzip tar: 12 html, 3 text".</summary>
    public string Recognised { get; private set; } = "";

    /// <summary>Files of text that were too long for a document and became several.</summary>
    public int CutFiles { get; set; }

    /// <summary>Files within archives that are left out, each with the reason.</summary>
    public List<string> Damaged { get; } = [];

    public bool Keeps(string field) => options.Keep.Contains(field);

    /// <summary>A field's value where it is kept and there is one; else null.</summary>
    public string? Kept(string field, string? value) => Keeps(field) && !string.IsNullOrEmpty(value) ? value : null;

    /// <summary>The documents of an input, in whatever form it is.</summary>
    public IEnumerable<RawDocument> Read(RawInput input)
    {
        if (_depth >= MostNested)
            throw new InvalidDataException($"archives within archives, {MostNested} deep");
        var reader = FormReaders.For(input, options);
        string form = string.Join(' ', input.Compressions.Append(reader.Form));
        if (_depth == 0)
            Recognised = form;
        else
            _recognised[form] = _recognised.GetValueOrDefault(form) + 1;
        _depth++;
        try
        {
            foreach (var document in reader.Read(input, this))
                yield return document;
        }
        finally
        {
            _depth--;
            if (_depth == 0 && _recognised.Count > 0)
                Recognised = $"{form}: {string.Join(", ", _recognised.Select(entry => $"{entry.Value} {entry.Key}"))}";
        }
    }
}
