using System.Collections.Concurrent;
using System.Reflection;

namespace Uniscale.Configuration.Schema;

/// <summary>What a YAML value becomes.</summary>
public enum ValueKind
{
    /// <summary>A map of known keys.</summary>
    Section,

    /// <summary>Values in order.</summary>
    List,

    /// <summary>Values by names that the user chooses.</summary>
    Map,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>A number.</summary>
    Number,

    /// <summary>true or false.</summary>
    Boolean,

    /// <summary>A text.</summary>
    Text,

    /// <summary>One of several words.</summary>
    Choice,

    /// <summary>A length of time, e.g. <c>30s</c>.</summary>
    Duration,
}

/// <summary>The keys of one record: the properties that can be set, in their written order.</summary>
public sealed class SectionSchema
{
    private static readonly ConcurrentDictionary<Type, SectionSchema> Known = new();

    private readonly Dictionary<string, KeySchema> _byName;

    private SectionSchema(Type type)
    {
        Type = type;
        Keys =
        [
            .. type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
                .Where(property => property.CanWrite)
                .OrderBy(property => property.MetadataToken)
                .Select(property => new KeySchema(property)),
        ];
        _byName = Keys.ToDictionary(key => key.Name, StringComparer.Ordinal);
    }

    /// <summary>The .NET type.</summary>
    public Type Type { get; }

    /// <summary>Its keys, in the order of the record.</summary>
    public IReadOnlyList<KeySchema> Keys { get; }

    /// <summary>The schema of the whole file.</summary>
    public static SectionSchema Root => Of(typeof(RunConfiguration));

    /// <summary>The schema of a record; the same object each time.</summary>
    public static SectionSchema Of(Type type) => Known.GetOrAdd(type, record => new SectionSchema(record));

    /// <summary>The key of a name; null: there is none.</summary>
    public KeySchema? Find(string name) => _byName.GetValueOrDefault(name);
}

/// <summary>One key of a section: its YAML name, type, unit, bounds and default.</summary>
public sealed class KeySchema
{
    internal KeySchema(PropertyInfo property)
    {
        Property = property;
        Name = Names.Snake(property.Name);
        Nullable = new NullabilityInfoContext().Create(property).ReadState == NullabilityState.Nullable;
        Value = new ValueSchema(property.PropertyType, property);
    }

    /// <summary>The property that holds it.</summary>
    public PropertyInfo Property { get; }

    /// <summary>The key in YAML, snake_case.</summary>
    public string Name { get; }

    /// <summary>Whether <c>null</c> may be given.</summary>
    public bool Nullable { get; }

    /// <summary>What may be given for it.</summary>
    public ValueSchema Value { get; }
}

/// <summary>The type of a value: scalars with their constraints, sections, lists and maps of such.</summary>
public sealed class ValueSchema
{
    internal ValueSchema(Type declared, PropertyInfo property)
    {
        Type = System.Nullable.GetUnderlyingType(declared) ?? declared;
        Range = property.GetCustomAttribute<RangeAttribute>();
        Unit = property.GetCustomAttribute<UnitAttribute>()?.Unit;
        OneOf = property.GetCustomAttribute<OneOfAttribute>()?.Values;
        IsPath = property.GetCustomAttribute<FilePathAttribute>() is not null;
        Kind = KindOf(Type);
        if (Kind is ValueKind.List or ValueKind.Map)
            Element = new ValueSchema(Type.GetGenericArguments()[^1], property);
        if (Kind == ValueKind.Choice)
            Choices = [.. Enum.GetNames(Type).Select(name => ChoiceSchema.Of(Type, name))];
    }

    /// <summary>The .NET type.</summary>
    public Type Type { get; }

    /// <summary>What kind of value it is.</summary>
    public ValueKind Kind { get; }

    /// <summary>Its bounds; null: none.</summary>
    public RangeAttribute? Range { get; }

    /// <summary>What its number counts; null: nothing in particular.</summary>
    public Unit? Unit { get; }

    /// <summary>The words or numbers that may be given; null: any.</summary>
    public IReadOnlyList<string>? OneOf { get; }

    /// <summary>The text names a file or a folder.</summary>
    public bool IsPath { get; }

    /// <summary>Type of the entries of a list or map.</summary>
    public ValueSchema? Element { get; }

    /// <summary>Members of an enum.</summary>
    public IReadOnlyList<ChoiceSchema> Choices { get; } = [];

    /// <summary>The section that this value is; only where <see cref="Kind"/> is Section.</summary>
    public SectionSchema Section => SectionSchema.Of(Type);

    private static ValueKind KindOf(Type type)
    {
        if (type.IsEnum)
            return ValueKind.Choice;
        if (type == typeof(string))
            return ValueKind.Text;
        if (type == typeof(bool))
            return ValueKind.Boolean;
        if (type == typeof(int) || type == typeof(long))
            return ValueKind.Integer;
        if (type == typeof(double))
            return ValueKind.Number;
        if (type == typeof(TimeSpan))
            return ValueKind.Duration;
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>))
            return ValueKind.List;
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>))
            return ValueKind.Map;
        return type.IsClass ? ValueKind.Section : throw new NotSupportedException($"A configuration record cannot hold {type}.");
    }
}

/// <summary>One member of an enum: the name that is printed, and the others that are read.</summary>
public sealed record ChoiceSchema(string Name, IReadOnlyList<string> Aliases, object Value, FieldInfo Field)
{
    internal static ChoiceSchema Of(Type type, string member)
    {
        var field = type.GetField(member)!;
        var given = field.GetCustomAttribute<YamlNameAttribute>();
        return new ChoiceSchema(given?.Name ?? Names.Kebab(member), given?.Aliases ?? [], Enum.Parse(type, member), field);
    }
}
