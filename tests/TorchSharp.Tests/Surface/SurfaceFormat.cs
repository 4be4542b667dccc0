using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace TorchSharp.Tests.Surface;

/// <summary>Writes the public and protected members of a type in the way of the reference list.</summary>
internal static class SurfaceFormat
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<Type, string> Keywords = new()
    {
        [typeof(void)] = "void",
        [typeof(object)] = "object",
        [typeof(string)] = "string",
        [typeof(bool)] = "bool",
        [typeof(byte)] = "byte",
        [typeof(int)] = "int",
        [typeof(long)] = "long",
        [typeof(float)] = "float",
        [typeof(double)] = "double",
    };

    internal static string Name(Type type) => type.FullName!.Replace('+', '.');

    internal static IEnumerable<string> Members(Type type)
    {
        if (type.IsEnum)
        {
            return [string.Join(", ", Enum.GetValues(type).Cast<object>()
                .Select(value => $"{value}={Convert.ToInt64(value, CultureInfo.InvariantCulture)}"))];
        }
        var fields = type.GetFields(Declared).Where(Visible).Select(Format);
        var constructors = type.GetConstructors(Declared).Where(Visible).Select(Format);
        var properties = type.GetProperties(Declared).Where(property => property.GetAccessors(true).Any(Visible)).Select(Format);
        var methods = type.GetMethods(Declared).Where(Visible).Where(method => !IsAccessor(method)).Select(Format);
        return fields.Concat(constructors).Concat(properties).Concat(methods);
    }

    private static bool Visible(FieldInfo field) => field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly;

    private static bool Visible(MethodBase method) =>
        !method.Name.Contains('.', StringComparison.Ordinal) && (method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly)
            || (method is ConstructorInfo && method.IsPublic && !method.IsStatic);

    private static bool IsAccessor(MethodInfo method) => method.IsSpecialName
        && (method.Name.StartsWith("get_", StringComparison.Ordinal) || method.Name.StartsWith("set_", StringComparison.Ordinal));

    private static string Format(FieldInfo field) => $"{(field.IsStatic ? "static " : "")}{Of(field.FieldType)} {field.Name}";

    private static string Format(ConstructorInfo constructor) => $"new({Parameters(constructor)})";

    private static string Format(PropertyInfo property)
    {
        var accessors = property.GetAccessors(true).Where(Visible).ToList();
        var index = property.GetIndexParameters();
        return (accessors[0].IsStatic ? "static " : "") + $"{Of(property.PropertyType)} {property.Name}"
            + (index.Length == 0 ? "" : $"[{string.Join(", ", index.Select(Parameter))}]")
            + " { " + (property.GetMethod is { } get && Visible(get) ? "get; " : "")
            + (property.SetMethod is { } set && Visible(set) ? "set; " : "") + "}";
    }

    private static string Format(MethodInfo method) =>
        (method.IsPublic ? "" : "protected ") + (method.IsStatic ? "static " : "") + (method.IsAbstract ? "abstract " : "")
        + $"{Of(method.ReturnType)} {method.Name}"
        + (method.IsGenericMethod ? $"<{string.Join(",", method.GetGenericArguments().Select(argument => argument.Name))}>" : "")
        + $"({Parameters(method)})";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(Parameter));

    private static string Parameter(ParameterInfo parameter) =>
        (parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params " : "")
        + $"{Of(parameter.ParameterType)} {parameter.Name}"
        + (parameter.HasDefaultValue ? " = " + Default(parameter) : "");

    private static string Default(ParameterInfo parameter)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        return parameter.DefaultValue switch
        {
            null => parameter.ParameterType is { IsValueType: true } && type == parameter.ParameterType ? "default" : "null",
            string text => $"\"{text}\"",
            var value when type.IsEnum => Enum.ToObject(type, value).ToString()!,
            var value => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };
    }

    private static string Of(Type type)
    {
        if (type.IsByRef)
            return "ref " + Of(type.GetElementType()!);
        if (type.IsArray)
            return Of(type.GetElementType()!) + "[]";
        if (Nullable.GetUnderlyingType(type) is { } inner)
            return Of(inner) + "?";
        if (Keywords.TryGetValue(type, out var keyword))
            return keyword;
        if (!type.IsGenericType)
            return type.Name;
        var arguments = type.GetGenericArguments();
        var list = string.Join(", ", arguments.Select(Of));
        return typeof(ITuple).IsAssignableFrom(type) && !arguments.Any(argument => argument.IsGenericParameter)
            ? $"({list})"
            : $"{type.Name.Split('`')[0]}<{list}>";
    }
}
