using Parquet;
using Parquet.Schema;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>The column <c>text</c> of a Parquet file, a document a row. Memory is that of one row group's texts.</summary>
internal static class ParquetText
{
    private const string Column = "text";

    /// <summary>True for Parquet files, by their name.</summary>
    public static bool IsParquet(string path) => Path.GetExtension(path).Equals(".parquet", StringComparison.OrdinalIgnoreCase);

    /// <summary>The texts in the order of the rows; null where a row has none. Invalid UTF-8 comes as U+FFFD.</summary>
    /// <exception cref="UserErrorException">The file is damaged, is not Parquet, or has no column of strings named text.</exception>
    public static IEnumerable<string?> Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        ParquetReader reader = Guarded(path, () => ParquetReader.CreateAsync(file, leaveStreamOpen: true).GetAwaiter().GetResult());
        try
        {
            DataField column = ColumnOf(reader.Schema, path);
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
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            throw new UserErrorException($"{path} cannot be read as Parquet ({error.Message.ReplaceLineEndings(" ").TrimEnd('.')}); it is damaged or not what its name says.", error);
        }
    }
}
