using System.Globalization;
using Apache.Arrow;
using Apache.Arrow.Types;
using Array = Apache.Arrow.Array;

namespace Uniscale.Corpus.Reading.Tables;

/// <summary>Values of columns of any type that holds text, or what can be written as text.</summary>
internal static class ArrowValues
{
    /// <summary>True for strings and bytes, in all layouts, and dictionaries of them.</summary>
    public static bool IsText(IArrowType type) =>
        type switch
        {
            StringType or LargeStringType or StringViewType or BinaryType or LargeBinaryType or BinaryViewType => true,
            DictionaryType dictionary => IsText(dictionary.ValueType),
            _ => false,
        };

    /// <summary>The bytes of a text; false where it is null.</summary>
    public static bool TryText(IArrowArray array, int row, out ReadOnlySpan<byte> text)
    {
        text = [];
        if (array.IsNull(row))
            return false;
        switch (array)
        {
            case LargeBinaryArray large: // LargeStringArray too
                text = large.GetBytes(row, out bool isNullLarge);
                return !isNullLarge;
            case BinaryArray binary: // StringArray too
                text = binary.GetBytes(row, out bool isNull);
                return !isNull;
            case BinaryViewArray view: // StringViewArray too
                text = view.GetBytes(row, out bool isNullView);
                return !isNullView;
            case DictionaryArray dictionary:
                return IndexOf(dictionary.Indices, row) is { } index && TryText(dictionary.Dictionary, index, out text);
            default:
                return false;
        }
    }

    /// <summary>A value as one writes it; null where there is none, or none that is one word.</summary>
    public static string? Written(IArrowArray array, int row)
    {
        if (TryText(array, row, out var text))
            return System.Text.Encoding.UTF8.GetString(text);
        if (array.IsNull(row))
            return null;
        IFormattable? value = array switch
        {
            Int8Array numbers => numbers.GetValue(row),
            Int16Array numbers => numbers.GetValue(row),
            Int32Array numbers => numbers.GetValue(row),
            Int64Array numbers => numbers.GetValue(row),
            UInt8Array numbers => numbers.GetValue(row),
            UInt16Array numbers => numbers.GetValue(row),
            UInt32Array numbers => numbers.GetValue(row),
            UInt64Array numbers => numbers.GetValue(row),
            FloatArray numbers => numbers.GetValue(row),
            DoubleArray numbers => numbers.GetValue(row),
            TimestampArray times => times.GetTimestamp(row),
            _ => null,
        };
        return value is DateTimeOffset time
            ? time.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture)
            : value?.ToString(null, CultureInfo.InvariantCulture) ?? DateOf(array, row);
    }

    private static string? DateOf(IArrowArray array, int row) =>
        array switch
        {
            Date32Array days => days.GetDateTime(row)?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            Date64Array days => days.GetDateTime(row)?.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture),
            _ => null,
        };

    /// <summary>The items of a list, as rows of its values.</summary>
    public static bool TryItems(IArrowArray array, int row, out Array? values, out int start, out int end)
    {
        (values, start, end) = (null, 0, 0);
        if (array.IsNull(row))
            return false;
        switch (array)
        {
            case ListArray list:
                (values, start, end) = ((Array)list.Values, list.ValueOffsets[row], list.ValueOffsets[row + 1]);
                return true;
            case LargeListArray list:
                (values, start, end) = ((Array)list.Values, checked((int)list.ValueOffsets[row]), checked((int)list.ValueOffsets[row + 1]));
                return true;
            default:
                return false;
        }
    }

    private static int? IndexOf(IArrowArray indices, int row) =>
        indices switch
        {
            Int8Array numbers => numbers.GetValue(row),
            Int16Array numbers => numbers.GetValue(row),
            Int32Array numbers => numbers.GetValue(row),
            Int64Array numbers => (int?)numbers.GetValue(row),
            UInt8Array numbers => numbers.GetValue(row),
            UInt16Array numbers => numbers.GetValue(row),
            UInt32Array numbers => (int?)numbers.GetValue(row),
            _ => null,
        };
}
