using System.Reflection;
using Mono.Cecil;

namespace Uniscale.Architecture.Tests;

/// <summary>What an assembly takes from elsewhere, read from its metadata.</summary>
internal static class Calls
{
    /// <summary>
    /// Names of the types of another assembly that this one names, outermost types only, in order. Enumerations are values and are left
    /// out.
    /// </summary>
    public static IReadOnlyList<string> TypesUsed(Assembly assembly, string other) =>
        [
            .. Read(assembly)
                .GetTypeReferences()
                .Where(type => type.Scope.Name == other && type.DeclaringType is null)
                .Select(type => type.Name)
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>Names of the types whose code names something of a namespace.</summary>
    public static IReadOnlyList<string> UsersOf(Assembly assembly, string space) =>
        [
            .. Read(assembly)
                .GetTypes()
                .Where(type => Names(type).Any(name => name == space))
                .Select(Outermost)
                .Select(type => type.Name)
                .Distinct(),
        ];

    /// <summary>The types that import functions of C, without the common prefix.</summary>
    public static IReadOnlyList<string> Imports(Assembly assembly) =>
        [
            .. Read(assembly)
                .GetTypes()
                .Where(type => type.Methods.Any(method => method.IsPInvokeImpl))
                .Select(Outermost)
                .Select(type => ArchitecturePage.Short(type.FullName))
                .Distinct(),
        ];

    private static ModuleDefinition Read(Assembly assembly) => AssemblyDefinition.ReadAssembly(assembly.Location).MainModule;

    private static TypeDefinition Outermost(TypeDefinition type) => type.DeclaringType is null ? type : Outermost(type.DeclaringType);

    private static IEnumerable<string> Names(TypeDefinition type) =>
        type
            .Methods.Where(method => method.HasBody)
            .SelectMany(method => method.Body.Instructions)
            .Select(instruction => instruction.Operand)
            .OfType<MemberReference>()
            .Select(member => (member as TypeReference ?? member.DeclaringType)?.Namespace ?? "");
}
