/** Schema of one peer: who it is, what it may do, and what it wants otherwise than others. */
import { Type } from 'typebox'
import { Bool, Count, closed, Secret, Str } from './terms.ts'

export const Peer = Type.Object(
  {
    interface: Type.Union([Type.Literal('mm7'), Type.Literal('mm4'), Type.Literal('smtp')]),
    role: Type.Optional(Type.Union([Type.Literal('rs'), Type.Literal('vasp')])),
    host: Type.Optional(Str),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    ip: Type.Optional(Str),
    allow: Type.Optional(Type.Array(Str, { minItems: 1 })),
    certificate: Type.Optional(Type.String({ pattern: '^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$' })),
    url: Type.Optional(Type.String({ pattern: '^https?://' })),
    schema: Type.Optional(Str),
    version: Type.Optional(Str),
    vaspId: Type.Optional(Str),
    vasId: Type.Optional(Str),
    vaspIds: Type.Optional(Type.Array(Str)),
    senders: Type.Optional(Type.Array(Str)),
    supportsDeliveryReport: Type.Optional(Bool),
    maxSize: Type.Optional(Count),
    maxRecipients: Type.Optional(Count),
    maxConnections: Type.Optional(Count),
    numberFormat: Type.Optional(Type.Union([Type.Literal('plus'), Type.Literal('plain')])),
    mailOut: Type.Optional(Bool),
    auth: Type.Optional(
      Type.Object(
        {
          scheme: Type.Union(['basic', 'digest', 'bearer', 'url'].map((s) => Type.Literal(s))),
          user: Secret,
          realm: Type.Optional(Str),
          password: Type.Optional(Secret),
        },
        closed,
      ),
    ),
    login: Type.Optional(
      Type.Object({ user: Secret, password: Secret, scheme: Type.Optional(Type.Literal('bearer')) }, closed),
    ),
    tls: Type.Optional(
      Type.Union([
        Type.Literal('never'),
        Type.Literal('opportunistic'),
        Type.Literal('required'),
        Type.Literal('implicit'),
      ]),
    ),
    emitContentClass: Type.Optional(Bool),
    senderPolicy: Type.Optional(Type.Union([Type.Literal('any'), Type.Literal('shortcode')])),
    senderAddress: Type.Optional(Str),
    askFailures: Type.Optional(Bool),
    countSubject: Type.Optional(Bool),
    soapPrefix: Type.Optional(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9._-]{0,30}$' })),
    bodyPrefix: Type.Optional(Type.String({ pattern: '^([A-Za-z_][A-Za-z0-9._-]{0,30})?$' })),
    emptyAnswerAccepts: Type.Optional(Bool),
    dropFields: Type.Optional(Type.Array(Type.String({ pattern: '^[!-)+-9;-~]+\\*?$' }))),
    extendedOperations: Type.Optional(Bool),
    strictLinkedId: Type.Optional(Bool),
    serviceCode: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e]{1,100}$' })),
    messagesPerMinute: Type.Optional(Count),
    ackRequest: Type.Optional(Bool),
    numbers: Type.Optional(Type.Array(Type.String({ pattern: '^\\+\\d+$' }))),
  },
  closed,
)
