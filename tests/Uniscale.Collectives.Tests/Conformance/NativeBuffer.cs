using System.Runtime.InteropServices;

namespace Uniscale.Collectives.Tests.Conformance;

/// <summary>Memory outside the managed heap that holds elements of a type and speaks doubles.</summary>
public sealed class NativeBuffer : IDisposable
{
    public NativeBuffer(ElementType type, long count, Func<long, double>? value = null)
    {
        Buffer = new CommBuffer(Marshal.AllocHGlobal((nint)Math.Max(count * type.SizeBytes(), 1)), count, type);
        for (long i = 0; i < count; i++)
            this[i] = value?.Invoke(i) ?? 0;
    }

    public CommBuffer Buffer { get; }

    public double this[long index]
    {
        get
        {
            nint at = Buffer.Slice(index, 0).Address;
            return Buffer.Type switch
            {
                ElementType.UInt8 => Marshal.ReadByte(at),
                ElementType.Int32 => Marshal.ReadInt32(at),
                ElementType.Int64 => Marshal.ReadInt64(at),
                ElementType.BFloat16 => BitConverter.Int32BitsToSingle(Marshal.ReadInt16(at) << 16),
                ElementType.Float16 => (double)BitConverter.Int16BitsToHalf(Marshal.ReadInt16(at)),
                ElementType.Float32 => BitConverter.Int32BitsToSingle(Marshal.ReadInt32(at)),
                _ => BitConverter.Int64BitsToDouble(Marshal.ReadInt64(at)),
            };
        }
        set
        {
            nint at = Buffer.Slice(index, 0).Address;
            switch (Buffer.Type)
            {
                case ElementType.UInt8:
                    Marshal.WriteByte(at, (byte)value);
                    break;
                case ElementType.Int32:
                    Marshal.WriteInt32(at, (int)value);
                    break;
                case ElementType.Int64:
                    Marshal.WriteInt64(at, (long)value);
                    break;
                case ElementType.BFloat16:
                    Marshal.WriteInt16(at, (short)(BitConverter.SingleToInt32Bits((float)value) >> 16));
                    break;
                case ElementType.Float16:
                    Marshal.WriteInt16(at, BitConverter.HalfToInt16Bits((Half)value));
                    break;
                case ElementType.Float32:
                    Marshal.WriteInt32(at, BitConverter.SingleToInt32Bits((float)value));
                    break;
                default:
                    Marshal.WriteInt64(at, BitConverter.DoubleToInt64Bits(value));
                    break;
            }
        }
    }

    public void Dispose() => Marshal.FreeHGlobal(Buffer.Address);
}
