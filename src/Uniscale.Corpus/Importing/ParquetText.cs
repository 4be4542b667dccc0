using Parquet;
using Parquet.Schema;
using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>The column <c>text</c> of a Parquet file, a document a row. Memory is that of one row group's texts.</summary>
internal static class ParquetText
{
    private const string Column = "text";

    /// <summary>The first and last bytes of a file.</summary>
    public static ReadOnlySpan<byte> Magic => "PAR1"u8;

    /// <summary>True for Parquet files, by their name.</summary>
    public static bool IsNamedSo(string path) => Path.GetExtension(path).Equals(".parquet", StringComparison.OrdinalIgnoreCase);

    /// <summary>The texts in the order of the rows; null where a row has none. Invalid UTF-8 comes as U+FFFD.</summary>
    /// <exception cref="UserErrorException">The file is damaged, is not Parquet, or has no column of strings named text.</exception>
    public static IEnumerable<string?> Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        CheckFooter(file, path);
        ParquetReader reader = Guarded(path, () => ParquetReader.CreateAsync(file, leaveStreamOpen: true).GetAwaiter().GetResult());
        try
        {
            DataField column = Guarded(path, () => ColumnOf(reader.Schema, path));
            for (int group = 0; group < reader.RowGroupCount; group++)
            {
                foreach (string? text in Guarded(path, () => ReadGroup(reader, group, column)))
                    yield return text;
            }
        }
        finally
        {
            reader.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    /// <summary>The library allocates what a footer claims as its length, and does not end on metadata that contradict themselves.</summary>
    private static void CheckFooter(FileStream file, string path)
    {
        Span<byte> end = stackalloc byte[8];
        if (file.Length < 12)
            throw NotParquet(path, $"it has {file.Length} bytes");
        file.Position = file.Length - end.Length;
        file.ReadExactly(end);
        int footer = BitConverter.ToInt32(end);
        if (!end[4..].SequenceEqual(Magic))
            throw NotParquet(path, "it does not end with PAR1");
        if (footer < 0 || footer > file.Length - 12)
            throw NotParquet(path, $"its footer is said to have {(uint)footer} bytes, the file has {file.Length}");
        byte[] metadata = new byte[footer];
        file.Position = file.Length - end.Length - footer;
        file.ReadExactly(metadata);
        if (!ThriftFooter.IsWhole(metadata))
            throw NotParquet(path, "its metadata are damaged");
        file.Position = 0;
    }

    private static UserErrorException NotParquet(string path, string why, Exception? error = null)
    {
        string sentence = $"{path} cannot be read as Parquet ({why}); it is damaged or not what its name says.";
        return error is null ? new UserErrorException(sentence) : new UserErrorException(sentence, error);
    }

    private static DataField ColumnOf(ParquetSchema schema, string path)
    {
        DataField[] named = [.. schema.DataFields.Where(field => field.Path.ToString() == Column)];
        if (named is [{ IsArray: false } column] && column.ClrType == typeof(ReadOnlyMemory<char>))
            return column;
        string known = string.Join(", ", schema.DataFields.Select(field => $"{field.Path} ({(field.ClrType == typeof(ReadOnlyMemory<char>) ? "strings" : field.ClrType.Name)})"));
        throw new UserErrorException($"{path} has no column of strings named {Column}; it has {known}: rename the column that holds the documents.");
    }

    private static string?[] ReadGroup(ParquetReader reader, int group, DataField column)
    {
        using ParquetRowGroupReader rows = reader.OpenRowGroupReader(group);
        string?[] texts = new string?[checked((int)rows.RowCount)];
        rows.ReadAsync(column, texts.AsMemory(), null).AsTask().GetAwaiter().GetResult();
        return texts;
    }

    /// <summary>The library throws what it happens to meet in a damaged file.</summary>
    private static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception error) when (error is not UserErrorException) // OutOfMemoryException too: a size in the file, not the machine, is what is wrong
        {
            throw NotParquet(path, error.Message.ReplaceLineEndings(" ").TrimEnd('.'), error);
        }
    }
}
