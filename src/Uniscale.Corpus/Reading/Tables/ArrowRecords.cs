using System.Globalization;
using System.Text.Unicode;
using Apache.Arrow;
using Apache.Arrow.Types;
using Uniscale.Corpus.Chat;
using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus.Reading.Tables;

/// <summary>Rows of a table as documents: which columns hold the text and what is kept beside it, and each row's values.</summary>
internal sealed class ArrowRecords
{
    public const string NoText = "rows without text",
        NotText = "rows of unknown encoding";

    private readonly ReadingContext _context;
    private readonly FieldPath _text;
    private readonly Dictionary<string, FieldPath> _fields = [];
    private readonly bool _isChat;

    /// <param name="schema">The table's columns.</param>
    /// <param name="context">What the user asked for.</param>
    /// <exception cref="InvalidDataException">No column holds text.</exception>
    public ArrowRecords(Schema schema, ReadingContext context)
    {
        _context = context;
        var candidates = context.TextPath is { } given ? [given] : FieldNames.Texts;
        if (
            context.Template is not null
            && (context.TextPath is { } chat ? [chat] : FieldNames.Messages).FirstOrDefault(path =>
                TypeOf(schema, path) is ListType or LargeListType
            )
                is { } messages
        )
            (_text, _isChat) = (messages, true);
        else
            _text =
                candidates.FirstOrDefault(path => TypeOf(schema, path) is { } type && ArrowValues.IsText(type))
                ?? throw NoColumn(schema, candidates);
        foreach (string field in context.Options.Keep)
            if (FieldNames.PlacesOf(field).FirstOrDefault(path => TypeOf(schema, path) is not null) is { } place)
                _fields[field] = place;
    }

    /// <summary>The columns that are needed.</summary>
    public IReadOnlySet<string> Columns => _fields.Values.Append(_text).Select(path => path.Root).ToHashSet();

    /// <summary>The documents of a batch; their bytes are copied, the batch may be given back behind each.</summary>
    /// <param name="batch">Rows.</param>
    /// <param name="before">Rows before it.</param>
    public IEnumerable<RawDocument> Read(RecordBatch batch, long before)
    {
        for (int row = 0; row < batch.Length; row++)
        {
            string place = $"{before + row + 1}";
            var fields = FieldsOf(batch, row);
            if (_isChat)
            {
                string? text = ChatOf(batch, row);
                yield return string.IsNullOrWhiteSpace(text)
                    ? RawDocument.Left(place, NoText)
                    : new RawDocument(place, text.Length, () => Extracted.Of(text, fields));
                continue;
            }
            byte[] bytes = TextOf(batch, row);
            yield return new RawDocument(place, bytes.Length, () => Decoded(bytes, fields));
        }
    }

    private static Extracted Decoded(byte[] bytes, DocumentFields fields)
    {
        if (!Utf8.IsValid(bytes))
            return Extracted.Left(NotText);
        return Utf8Text.IsBlank(bytes) ? Extracted.Left(NoText) : new Extracted(bytes, fields);
    }

    private byte[] TextOf(RecordBatch batch, int row)
    {
        var joined = new MemoryStream();
        Collect(batch.Column(_text.Root), row, _text.Steps, 0, joined);
        return joined.ToArray();
    }

    private static void Collect(IArrowArray array, int row, IReadOnlyList<FieldPath.Step> steps, int at, MemoryStream joined)
    {
        if (steps[at].IsEach)
        {
            if (ArrowValues.TryItems(array, row, out var values, out int start, out int end))
                for (int item = start; item < end; item++)
                    Inner(values!, item, steps, at, joined);
            return;
        }
        Inner(array, row, steps, at, joined);
    }

    private static void Inner(IArrowArray array, int row, IReadOnlyList<FieldPath.Step> steps, int at, MemoryStream joined)
    {
        if (at + 1 < steps.Count)
        {
            if (array is StructArray record && !record.IsNull(row) && FieldOf(record, steps[at + 1].Name) is { } inner)
                Collect(inner, row, steps, at + 1, joined);
        }
        else if (ArrowValues.TryText(array, row, out var text))
        {
            if (joined.Length > 0)
                joined.Write("\n\n"u8);
            joined.Write(text);
        }
    }

    private string? ChatOf(RecordBatch batch, int row)
    {
        (var array, _) = Find(batch, _text, row);
        if (
            array is null
            || !ArrowValues.TryItems(array, row, out var values, out int start, out int end)
            || values is not StructArray records
        )
            return null;
        IArrowArray? roles = FieldOf(records, "role") ?? FieldOf(records, "from"),
            contents = FieldOf(records, "content") ?? FieldOf(records, "value");
        var messages = new List<ChatMessage>();
        for (int item = start; item < end && roles is not null && contents is not null; item++)
            if (!records.IsNull(item) && ArrowValues.Written(roles, item) is { } role && ArrowValues.Written(contents, item) is { } content)
                messages.Add(new ChatMessage(ChatMessage.RoleOf(role), content));
        return _context.Template!.Render(messages);
    }

    private DocumentFields FieldsOf(RecordBatch batch, int row)
    {
        if (_fields.Count == 0)
            return DocumentFields.None;
        string? Field(string name) =>
            _fields.TryGetValue(name, out var path) && Find(batch, path, row) is ({ } array, true) ? ArrowValues.Written(array, row) : null;
        double? score =
            double.TryParse(Field(FieldNames.Score), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && double.IsFinite(number)
                ? number
                : null;
        return new DocumentFields(Field(FieldNames.Id), Field(FieldNames.Url), Field(FieldNames.Language), Field(FieldNames.Date), score);
    }

    private static (IArrowArray? Array, bool IsThere) Find(RecordBatch batch, FieldPath path, int row)
    {
        var array = batch.Column(path.Root);
        foreach (var step in path.Steps.Skip(1))
        {
            if (array is not StructArray record || record.IsNull(row))
                return (null, false);
            array = FieldOf(record, step.Name);
        }
        return (array, array is not null);
    }

    private static IArrowArray? FieldOf(StructArray record, string name)
    {
        int index = ((StructType)record.Data.DataType).GetFieldIndex(name);
        return index < 0 ? null : record.Fields[index];
    }

    private static IArrowType? TypeOf(Schema schema, FieldPath path)
    {
        if (!schema.FieldsLookup.Contains(path.Root))
            return null;
        var type = schema.GetFieldByName(path.Root).DataType;
        for (int i = 0; i < path.Steps.Count; i++)
        {
            if (i > 0)
            {
                if (type is not StructType record || record.GetFieldIndex(path.Steps[i].Name) is not (>= 0 and var index))
                    return null;
                type = record.Fields[index].DataType;
            }
            if (path.Steps[i].IsEach)
            {
                if (type is not (ListType or LargeListType))
                    return null;
                type = type is ListType list ? list.ValueDataType : ((LargeListType)type).ValueDataType;
            }
        }
        return type;
    }

    private static InvalidDataException NoColumn(Schema schema, IReadOnlyList<FieldPath> candidates)
    {
        string known = string.Join(
            ", ",
            schema
                .FieldsList.Take(20)
                .Select(field => $"{field.Name} ({(ArrowValues.IsText(field.DataType) ? "strings" : field.DataType.Name)})")
        );
        return new InvalidDataException(
            $"it has no column of strings named {string.Join(", ", candidates)}; it has {known}: name the column of the texts with --text"
        );
    }
}
